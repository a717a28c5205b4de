"""Networks that no other beats in score at the same cost or less."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from archatlas.costs.constraints import COST_COLUMNS, CostName

FRONT_COLUMNS = ["cost", "network", "predicted_score", "macs", "params", "predicted_latency_ms"]


def pareto_rows(score: ArrayLike, cost: ArrayLike) -> NDArray[np.int64]:
    """Rows on the front of largest ``score`` ``[n]`` and least ``cost`` ``[n]``, from the cheapest on.

    A row is on the front if no row has a score as high at a cost as low, one of the two strictly better. Of rows equal
    in both the first stands for all. Rows with a missing score or cost are left out.
    """
    scores, costs = np.asarray(score, dtype=np.float64), np.asarray(cost, dtype=np.float64)
    rows = np.flatnonzero(~(np.isnan(scores) | np.isnan(costs)))
    order = rows[np.lexsort((-scores[rows], costs[rows]))]
    if not len(order):
        return order
    best_before = np.maximum.accumulate(np.concatenate([[-np.inf], scores[order][:-1]]))
    return order[scores[order] > best_before]


def pareto_fronts(table: pd.DataFrame, score: ArrayLike, costs: Iterable[CostName]) -> pd.DataFrame:
    """One front per cost: ``FRONT_COLUMNS``, from the cheapest network on.

    Args:
        table: network, predicted_score, macs, params, predicted_latency_ms.
        score: what the networks are ranked by, ``[n]``.
        costs: the costs to draw a front for; latency is the predicted one.
    """
    parts = []
    for cost in costs:
        front = table.iloc[pareto_rows(score, table[COST_COLUMNS[cost]].to_numpy())]
        parts.append(front.assign(cost=cost)[FRONT_COLUMNS])
    return pd.concat(parts, ignore_index=True) if parts else no_fronts()


def no_fronts() -> pd.DataFrame:
    """The table where nothing is scored."""
    return pd.DataFrame(columns=FRONT_COLUMNS)
