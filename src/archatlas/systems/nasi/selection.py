"""The networks that logits of choices favour."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from archatlas.search.evolution import evolve
from archatlas.search.parameters import EvolutionParameters
from archatlas.spaces.protocol import Choices, Counted, Enumerable, HasTwins, SearchSpace, counts_quickly
from archatlas.spaces.restricted import Restricted
from archatlas.systems.problem import Problem

_WRITTEN_OUT = 2_000_000
_TWINS = 16
_VISITED, _DRAWN, _BUILT = 20_000, 5_000, 400
"""Of a space that cannot be written out, how many networks an evolution visits, how many are drawn, and how many of
either where each is built to be counted."""


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
    return favoured_by_each(space, [logits], choices, generator)[0]


def favoured_by_each(
    space: SearchSpace, logits: Sequence[NDArray[np.float64]], choices: Choices, generator: np.random.Generator
) -> list[NDArray[np.float64]]:
    """The same by each of several logits, over the same spellings."""
    every, counts = math.prod(space.num_choices), space.num_choices
    whole = space.whole if isinstance(space, Restricted) else space  # A part of a space spells its networks alike.
    if isinstance(whole, HasTwins) and isinstance(whole, Counted) and whole.size == every <= _WRITTEN_OUT:
        return _over_all_spellings(whole, logits, choices)
    if not isinstance(space, HasTwins):
        return [sums_of(choices, one, counts) for one in logits]
    twins = [space.draw_twins(row, _TWINS, generator) for row in choices]
    return [np.array([sums_of(spelled, one, counts).mean() for spelled in twins]) for one in logits]


def _over_all_spellings(
    space: SearchSpace, logits: Sequence[NDArray[np.float64]], choices: Choices
) -> list[NDArray[np.float64]]:
    spelled = np.indices(space.num_choices, dtype=np.int8).reshape(len(space.num_choices), -1).T
    own, place = np.unique(np.ascontiguousarray(space.canonicalise(spelled)), axis=0, return_inverse=True)
    place = place.reshape(-1)
    places = {row.tobytes(): number for number, row in enumerate(own)}
    asked = np.array([places[row.tobytes()] for row in np.ascontiguousarray(choices)], dtype=np.intp)
    spellings = np.bincount(place)
    return [(np.bincount(place, weights=sums_of(spelled, one, space.num_choices)) / spellings)[asked] for one in logits]


def ranked(
    problem: Problem, logits: NDArray[np.float64], generator: np.random.Generator, count: int
) -> tuple[Choices, NDArray[np.float64]]:
    """The ``count`` networks within bounds that logits favour most, with how much, the best first.

    All networks are looked at where they can be written out; else an evolution visits some thousands.
    """
    rows = _written_out(problem)
    if rows is None:
        rows = _evolved(problem, logits, generator, count)
    return _best(problem, rows, [logits], generator, count)[0]


def ranked_by_each(
    problem: Problem, logits: Sequence[NDArray[np.float64]], generator: np.random.Generator, count: int
) -> list[tuple[Choices, NDArray[np.float64]]]:
    """``ranked`` by each of several logits, on the same networks: all, or of a larger space some thousands drawn."""
    rows = _written_out(problem)
    if rows is None:
        rows = problem.draw(_DRAWN if counts_quickly(problem.space) else _BUILT, generator)
    return _best(problem, rows, logits, generator, count)


def _written_out(problem: Problem) -> Choices | None:
    """All networks within bounds; None where they are too many."""
    space = problem.space
    if not (isinstance(space, Enumerable) and space.networks <= _WRITTEN_OUT):
        return None
    rows = space.enumerate_networks(0, space.networks)
    return rows[problem.keeps(rows)]


def _best(
    problem: Problem,
    rows: Choices,
    logits: Sequence[NDArray[np.float64]],
    generator: np.random.Generator,
    count: int,
) -> list[tuple[Choices, NDArray[np.float64]]]:
    # Of equals the larger comes first, as everywhere.
    macs = problem.costs(rows)["macs"].to_numpy(dtype=np.float64) if len(rows) else np.zeros(0)
    found = []
    for scores in favoured_by_each(problem.space, logits, rows, generator):
        least = -np.partition(-scores, count - 1)[count - 1] if len(scores) > count else -np.inf
        near = np.flatnonzero(scores >= least)
        order = near[np.lexsort((-macs[near], -scores[near]))[:count]]
        found.append((rows[order], scores[order]))
    return found


def _evolved(problem: Problem, logits: NDArray[np.float64], generator: np.random.Generator, count: int) -> Choices:
    """The best of what an evolution visits by the sum of its own spelling's logits."""
    space = problem.space

    def predict(choices: Choices):  # type: ignore[no-untyped-def]
        costs = problem.costs(choices)
        score = sums_of(choices, logits, space.num_choices)
        return costs.assign(network=space.names(choices), predicted_score=score, predicted_std=0.0)

    visited = evolve(
        space, predict, problem.constraints, parameters=EvolutionParameters(),
        evaluations=_VISITED if counts_quickly(space) else _BUILT,
        seed=int(generator.integers(2**31)), start=problem.draw(count, generator),
    )  # fmt: skip
    best = visited.sort_values("predicted_score", ascending=False).head(20 * count)
    rows = space.canonicalise(space.parse(best["network"].to_numpy(dtype=np.str_)))
    return rows[problem.keeps(rows)]
