"""Which sub-architectures of a segment go on: the best at every cost, not the best alone.

With the highest predictions alone (as published, as far as is known) the first segments spend the budget of the
whole network. That survivors are spread over a cost, and how, is ours.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from archatlas.search.pareto import pareto_rows

Rows = NDArray[np.int64]


def highest(score: ArrayLike, cost: ArrayLike, count: int) -> Rows:
    """The ``count`` rows of the highest ``score`` ``[n]``, best first; ties go to the lower ``cost`` ``[n]``."""
    return np.lexsort((np.asarray(cost), -np.asarray(score, dtype=np.float64)))[:count]


def spread_over_cost(score: ArrayLike, cost: ArrayLike, count: int) -> Rows:
    """At most ``count`` rows, from the cheapest on: the front of score against cost, or the part of it that says most.

    Of a front with more than ``count`` rows those are taken that maximise the mean, over limits between the least and
    the largest cost, of the best score among rows within the limit:

        sum_j score_j (cost_(j+1) - cost_j),  cost_(k+1) = the largest cost

    with the cheapest (so that every budget can be met that the segment's positions allow) and the best among them; a
    single row is the best. Where the front has fewer rows, the front of the other rows follows, and so on.

    Args:
        score: ``[n]``, higher is better.
        cost: ``[n]``.
        count: at least 1.
    """
    scores, costs = np.asarray(score, dtype=np.float64), np.asarray(cost, dtype=np.float64)
    left = np.arange(len(scores))
    chosen = left[:0]
    while len(chosen) < count and len(left):
        front = left[pareto_rows(scores[left], costs[left])]
        if not len(front):
            break
        wanted = count - len(chosen)
        if len(front) > wanted:
            front = front[_stairs(scores[front], costs[front], wanted)]
        chosen = np.concatenate([chosen, front])
        left = np.setdiff1d(left, front, assume_unique=True)
    return chosen[np.lexsort((scores[chosen], costs[chosen]))]


def _stairs(score: NDArray[np.float64], cost: NDArray[np.float64], count: int) -> Rows:
    """``count`` of the points of a front, the first and the last among them, with the largest area under the stairs.

    Dynamic programming: ``area[j] = max over i < j of area[i] + score_i (cost_j - cost_i)``, one step more each round.
    """
    if count == 1:
        return np.array([len(score) - 1], dtype=np.int64)
    above = score - score[0]
    area = np.full(len(score), -np.inf)
    area[0] = 0.0
    before = np.zeros((count, len(score)), dtype=np.int64)
    for step in range(1, count):
        longer = np.full(len(score), -np.inf)
        for j in range(step, len(score)):
            reached = area[:j] + above[:j] * (cost[j] - cost[:j])
            before[step, j] = int(np.argmax(reached))
            longer[j] = reached[before[step, j]]
        area = longer
    picked = [len(score) - 1]
    for step in range(count - 1, 0, -1):
        picked.append(int(before[step, picked[-1]]))
    return np.array(picked[::-1], dtype=np.int64)
