"""Regularised evolution: not the worst dies, but the oldest (Real et al., AAAI 2019, arXiv 1802.01548, algorithm 1)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from pydantic import PositiveInt

from archatlas.spaces.protocol import Choices, counts_quickly
from archatlas.systems.account import Account
from archatlas.systems.ledger import Ledger
from archatlas.systems.problem import Problem

if TYPE_CHECKING:
    from archatlas.systems.evaluators import Evaluator


@dataclass(frozen=True)
class RegularisedEvolution:
    """A queue of ``population`` networks: the best of ``tournament`` of them has a mutated child, and the oldest dies.

    The paper has 100 and 25 [published]. Where the ledger allows few evaluations the population is a quarter of them:
    with as many as it allows this would be random search. The tournament is the same part of it: of a larger one nearly
    every child would be the best's. A child that is out of bounds, or its parent, is drawn again, and after
    ``_MOST_TRIES`` a network drawn anew takes its place [our reconstruction: the paper has neither].
    """

    population: PositiveInt = 100
    tournament: PositiveInt = 25

    def sizes(self, evaluations: int | None) -> tuple[int, int]:
        """Population and tournament where so many networks may be scored; None: as many as it likes."""
        population = min(self.population, max((evaluations or 4 * self.population) // 4, 2))
        return population, min(self.tournament, max(round(self.tournament * population / self.population), 2))

    def search(
        self, problem: Problem, evaluator: Evaluator, ledger: Ledger, generator: np.random.Generator
    ) -> pd.DataFrame:
        """All that was scored until the ledger closed, or nothing new was found any more (``problem.Method``)."""
        account = Account(problem, evaluator, ledger)
        population, tournament = self.sizes(ledger.limit.evaluations)
        first = problem.draw(population, generator)
        alive: deque[tuple[Choices, float]] = deque(maxlen=population)
        alive.extend(_known(first, account.scores(first)))
        idle, bounds = 0, _Bounds(problem)
        while alive and not account.closed and idle < _MOST_IDLE:
            drawn = generator.choice(len(alive), size=min(tournament, len(alive)), replace=False)
            parent = max((alive[int(place)] for place in drawn), key=lambda one: one[1])[0]
            child = _child(problem, bounds, parent, generator)
            before = len(account)
            alive.extend(_known(child, account.scores(child)))
            idle = idle + 1 if len(account) == before else 0
        return account.visited()


_MOST_TRIES, _MOST_IDLE, _AT_ONCE = 50, 1000, 10
"""Mutations that are tried for a child, and so many at once; children in a row that were known already."""


def _known(choices: Choices, scores: np.ndarray[tuple[int], np.dtype[np.float64]]) -> list[tuple[Choices, float]]:
    return [(row, float(score)) for row, score in zip(choices, scores, strict=True) if np.isfinite(score)]


class _Bounds:
    """Whether single networks keep all bounds; mutants of the same parents come again and again, and are remembered."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._known: dict[bytes, bool] = {}

    def keep(self, choices: Choices) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Which canonical rows do, ``[n]``."""
        if len(self._known) > _MOST_REMEMBERED:
            self._known = {}
        keys = [row.tobytes() for row in choices]
        fresh = {key: place for place, key in enumerate(keys) if key not in self._known}
        if fresh:
            kept = self._problem.keeps(choices[list(fresh.values())])
            self._known |= dict(zip(fresh, kept.tolist(), strict=True))
        return np.array([self._known[key] for key in keys], dtype=np.bool_)


_MOST_REMEMBERED = 500_000


def _child(problem: Problem, bounds: _Bounds, parent: Choices, generator: np.random.Generator) -> Choices:
    """One row ``[1, positions]``: the first of some mutants that is another network and keeps all bounds."""
    space = problem.space
    own = space.canonicalise(parent[None])
    at_once = _AT_ONCE if counts_quickly(space) else 1
    for _ in range(_MOST_TRIES // at_once):
        mutants = space.canonicalise(space.mutate(np.repeat(own, at_once, axis=0), generator))
        mutants = mutants[(mutants != own).any(axis=1)]
        kept = mutants[bounds.keep(mutants)]
        if len(kept):
            child: Choices = kept[:1]
            return child
    return problem.draw(1, generator)
