"""NSGA-II (Deb et al., IEEE TEC 2002) over choice vectors, for spaces too large to be written out.

Mutation and crossover are the space's own, so that nothing is proposed that is none of its architectures.

The objective is the predicted score; constraints go to pymoo as violations, so that a network that keeps them beats one
that does not. Every network is predicted once: what was visited is never proposed again, in any spelling.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.core.crossover import Crossover
from pymoo.core.duplicate import DuplicateElimination
from pymoo.core.mutation import Mutation
from pymoo.core.problem import Problem
from pymoo.core.sampling import Sampling
from pymoo.optimize import minimize

from archatlas.costs.constraints import COST_COLUMNS, Constraint, CostName
from archatlas.search.parameters import EvolutionParameters
from archatlas.spaces.protocol import Choices, SearchSpace, draw_at_most, drawable

Predict = Callable[[Choices], pd.DataFrame]
"""From canonical rows to ``enumeration.SCORED_COLUMNS``."""


def evolve(
    space: SearchSpace,
    predict: Predict,
    constraints: Sequence[Constraint],
    *,
    parameters: EvolutionParameters,
    evaluations: int,
    seed: int,
    objective: Callable[[pd.DataFrame], NDArray[np.float64]] | None = None,
    against: CostName | None = None,
    start: Choices | None = None,
) -> pd.DataFrame:
    """All networks that the evolution visited, in that order: at most ``evaluations``, all different.

    Args:
        space: what to search.
        predict: gives score and costs of a choice matrix.
        constraints: bounds that a network is to keep.
        parameters: size of a generation and odds of crossover and mutation.
        evaluations: networks to predict, at most.
        objective: what to maximise, ``[n]`` from predicted rows; the predicted score by default.
        against: a cost to be small beside it, which makes the population spread over the whole front; None: the
            score alone, which is where to spend evaluations when one budget's winner is wanted.
        seed: of every random choice.
        start: networks that the first generation holds beside those drawn at random; at most half of it.
    """
    problem = _NetworkProblem(space, predict, constraints, objective or _score, against)
    population = drawable(space, min(parameters.population, evaluations))
    algorithm = NSGA2(
        pop_size=population,
        sampling=_FirstGeneration(space, start),
        crossover=_CrossoverOfTheSpace(space, parameters.crossover_probability),
        mutation=_MutationOfTheSpace(space, parameters.mutation_probability),
        eliminate_duplicates=_Unvisited(space, problem.visited),
    )
    minimize(problem, algorithm, ("n_eval", evaluations), seed=seed, copy_algorithm=False)
    return pd.concat(problem.tables, ignore_index=True).iloc[:evaluations]


def _score(table: pd.DataFrame) -> NDArray[np.float64]:
    return table["predicted_score"].to_numpy(dtype=np.float64)


def _keys(space: SearchSpace, choices: NDArray[Any]) -> list[bytes]:
    return [row.tobytes() for row in space.canonicalise(choices.astype(np.int8))]


class _NetworkProblem(Problem):  # type: ignore[misc]
    def __init__(
        self,
        space: SearchSpace,
        predict: Predict,
        constraints: Sequence[Constraint],
        objective: Callable[[pd.DataFrame], NDArray[np.float64]],
        against: CostName | None,
    ) -> None:
        super().__init__(
            n_var=len(space.num_choices),
            n_obj=1 if against is None else 2,
            n_ieq_constr=len(constraints),
            xl=0,
            xu=np.array(space.num_choices) - 1,
            vtype=int,
        )
        self.space, self.predict, self.constraints = space, predict, constraints
        self.objective, self.against = objective, against
        self.tables: list[pd.DataFrame] = []
        self.visited: set[bytes] = set()

    def _evaluate(self, x: NDArray[np.int64], out: dict[str, Any], *args: object, **kwargs: object) -> None:
        choices = self.space.canonicalise(x.astype(np.int8))
        table = self.predict(choices)
        self.tables.append(table)
        self.visited.update(row.tobytes() for row in choices)
        objectives = [-self.objective(table)]
        if self.against is not None:
            objectives.append(table[COST_COLUMNS[self.against]].to_numpy(dtype=np.float64))
        out["F"] = np.stack(objectives, axis=1)
        if self.constraints:
            columns = [c.excess(table[COST_COLUMNS[c.cost]].to_numpy()) for c in self.constraints]
            out["G"] = np.stack(columns, axis=1)


class _FirstGeneration(Sampling):  # type: ignore[misc]
    """Networks that are given, up to half of the generation, and networks drawn uniformly; none twice."""

    def __init__(self, space: SearchSpace, start: Choices | None) -> None:
        super().__init__()
        self.space = space
        self.start = space.sample(0, np.random.default_rng(0)) if start is None else space.canonicalise(start)

    def _do(
        self, problem: Any, n_samples: int, *args: object, random_state: Any = None, **kwargs: object
    ) -> NDArray[np.int64]:
        drawn = draw_at_most(self.space, n_samples, random_state)
        rows = np.concatenate([self.start[: n_samples // 2], drawn]).astype(np.int64)
        _, first = np.unique(rows, axis=0, return_index=True)
        return rows[np.sort(first)][:n_samples]


class _CrossoverOfTheSpace(Crossover):  # type: ignore[misc]
    """The space's own crossover."""

    def __init__(self, space: SearchSpace, probability: float) -> None:
        super().__init__(2, 2, prob=probability)
        self.space = space

    def _do(
        self, problem: Any, x: NDArray[np.int64], *args: object, random_state: Any = None, **kwargs: object
    ) -> NDArray[np.int64]:
        first, second = x.astype(np.int8)
        return np.stack(self.space.crossover(first, second, random_state)).astype(np.int64)


class _MutationOfTheSpace(Mutation):  # type: ignore[misc]
    """The space's own mutation."""

    def __init__(self, space: SearchSpace, probability: float | None) -> None:
        super().__init__(prob=1.0)
        self.space, self.probability = space, probability

    def _do(
        self, problem: Any, x: NDArray[np.int64], *args: object, random_state: Any = None, **kwargs: object
    ) -> NDArray[np.int64]:
        return self.space.mutate(x.astype(np.int8), random_state, self.probability).astype(np.int64)


class _Unvisited(DuplicateElimination):  # type: ignore[misc]
    """Drops every row whose network was predicted before or stands earlier in the same generation."""

    def __init__(self, space: SearchSpace, visited: set[bytes]) -> None:
        super().__init__()
        self.space, self.visited = space, visited

    def do(self, pop: Any, *others: Any, return_indices: bool = False, to_itself: bool = True) -> Any:
        seen: set[bytes] = set()
        for other in others:
            if len(other):
                seen.update(_keys(self.space, other.get("X")))
        fresh = []
        for row, key in enumerate(_keys(self.space, pop.get("X")) if len(pop) else []):
            if key not in seen and key not in self.visited:
                fresh.append(row)
                seen.add(key)
        kept = pop[np.array(fresh, dtype=np.int64)]
        if not return_indices:
            return kept
        return kept, fresh, [row for row in range(len(pop)) if row not in set(fresh)]
