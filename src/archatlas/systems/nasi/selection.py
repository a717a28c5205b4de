"""The networks that logits of choices favour."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from archatlas.search.evolution import evolve
from archatlas.search.parameters import EvolutionParameters
from archatlas.spaces.protocol import Choices, Counted, Enumerable, HasTwins, SearchSpace
from archatlas.systems.problem import Problem

_WRITTEN_OUT = 2_000_000
_TWINS = 16
_VISITED = 20_000


def sums_of(choices: Choices, logits: NDArray[np.float64], num_choices: tuple[int, ...]) -> NDArray[np.float64]:
    """The sum of the logits of each row's choices, ``[n]``."""
    starts = np.concatenate([[0], np.cumsum(num_choices)[:-1]])
    found: NDArray[np.float64] = logits[starts + choices].sum(axis=1)
    return found


def favoured(
    space: SearchSpace, logits: NDArray[np.float64], choices: Choices, generator: np.random.Generator
) -> NDArray[np.float64]:
    """How much logits favour each canonical row, ``[n]``: the mean over its spellings of the sum of their logits.

    All spellings where they can be written out, else up to 16 drawn ones.
    """
    every = math.prod(space.num_choices)
    if isinstance(space, HasTwins) and isinstance(space, Counted) and space.size == every <= _WRITTEN_OUT:
        return _over_all_spellings(space, logits, choices)
    if not isinstance(space, HasTwins):
        return sums_of(choices, logits, space.num_choices)
    return np.array(
        [sums_of(space.draw_twins(row, _TWINS, generator), logits, space.num_choices).mean() for row in choices]
    )


def _over_all_spellings(space: SearchSpace, logits: NDArray[np.float64], choices: Choices) -> NDArray[np.float64]:
    spelled = np.indices(space.num_choices, dtype=np.int8).reshape(len(space.num_choices), -1).T
    own, place = np.unique(np.ascontiguousarray(space.canonicalise(spelled)), axis=0, return_inverse=True)
    sums = np.bincount(place.reshape(-1), weights=sums_of(spelled, logits, space.num_choices))
    means = dict(zip((row.tobytes() for row in own), sums / np.bincount(place.reshape(-1)), strict=True))
    return np.array([means[row.tobytes()] for row in np.ascontiguousarray(choices)])


def ranked(
    problem: Problem, logits: NDArray[np.float64], generator: np.random.Generator, count: int
) -> tuple[Choices, NDArray[np.float64]]:
    """The ``count`` networks within bounds that logits favour most, with how much, the best first.

    All networks are looked at where they can be written out; else an evolution visits some thousands.
    """
    space = problem.space
    if isinstance(space, Enumerable) and space.networks <= _WRITTEN_OUT:
        rows = space.enumerate_networks(0, space.networks)
        rows = rows[problem.keeps(rows)]
    else:
        rows = _evolved(problem, logits, generator, count)
    scores = favoured(space, logits, rows, generator)
    # Of equals the larger comes first, as everywhere.
    macs = problem.costs(rows)["macs"].to_numpy(dtype=np.float64) if len(rows) else np.zeros(0)
    order = np.lexsort((-macs, -scores))[:count]
    return rows[order], scores[order]


def _evolved(problem: Problem, logits: NDArray[np.float64], generator: np.random.Generator, count: int) -> Choices:
    """The best of what an evolution visits by the sum of its own spelling's logits."""
    space = problem.space

    def predict(choices: Choices):  # type: ignore[no-untyped-def]
        costs = problem.costs(choices)
        score = sums_of(choices, logits, space.num_choices)
        return costs.assign(network=space.names(choices), predicted_score=score, predicted_std=0.0)

    visited = evolve(
        space, predict, problem.constraints, parameters=EvolutionParameters(), evaluations=_VISITED,
        seed=int(generator.integers(2**31)), start=problem.draw(count, generator),
    )  # fmt: skip
    best = visited.sort_values("predicted_score", ascending=False).head(20 * count)
    rows = space.canonicalise(space.parse(best["network"].to_numpy(dtype=np.str_)))
    return rows[problem.keeps(rows)]
