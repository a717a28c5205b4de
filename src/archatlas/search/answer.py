"""The whole answer of the search: candidates per budget and Pareto fronts, read from the atlas or evolved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from archatlas.costs.constraints import COST_COLUMNS, Constraint, CostName
from archatlas.costs.table import costs_of
from archatlas.encodings.batch import ArchitectureBatch
from archatlas.errors import ArchatlasError
from archatlas.predictors.protocol import Predictor
from archatlas.search.enumeration import (
    SCORED_COLUMNS,
    Kinds,
    RankedBy,
    contenders,
    impossible,
    merit,
    nearest_misses,
    rank_score,
    top_candidates,
)
from archatlas.search.parameters import SearchParameters
from archatlas.search.pareto import pareto_fronts, pareto_rows
from archatlas.spaces.protocol import ChainFamily, Choices, SearchSpace, networks_of
from archatlas.spaces.restricted import Restricted
from archatlas.training.seeds import mixed_seed

_BUDGETS, _FRONTS = range(2)


def reads_atlas(space: SearchSpace, rows: int, parameters: SearchParameters) -> bool:
    """Whether the answer is read from an atlas of so many rows; ``auto``: if it holds every network of the space."""
    if parameters.method == "auto":
        networks = networks_of(space)
        return networks is not None and rows >= networks
    return parameters.method == "enumerate"


def answer(
    parts: Iterable[pd.DataFrame],
    budgets: Mapping[str, Sequence[Constraint]],
    parameters: SearchParameters,
    *,
    whole_space: bool = True,
    ranked_by: RankedBy = "predicted_score",
    kinds: Kinds | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Candidates of every budget and the fronts of a scored table (``enumeration.SCORED_COLUMNS``), given in parts.

    Each part is looked at once, and of all before it no more is kept than may be among the answers, which are those of
    the whole table. Fronts are of predicted scores, whatever candidates are ranked by.

    Returns:
        budget, rank, ``SCORED_COLUMNS`` and ranked_by of candidates; ``pareto.FRONT_COLUMNS``.

    Raises:
        ArchatlasError: no row keeps all bounds of a budget, with the network that comes nearest.
    """
    kept: dict[str, pd.DataFrame] = {}
    near: dict[str, pd.DataFrame] = {}
    fronts: dict[CostName, pd.DataFrame] = {}
    rows = 0
    for part in parts:
        rows += len(part)
        for name, constraints in budgets.items():
            both = _joined(kept.get(name), contenders(part, constraints, parameters, ranked_by, kinds))
            kept[name] = contenders(both, constraints, parameters, ranked_by, kinds)
            if both.empty:
                both = _joined(near.get(name), nearest_misses(part, constraints, 1))
                near[name] = nearest_misses(both, constraints, 1)
        for cost in _known_costs(part):
            both = _joined(fronts.get(cost), _undominated(part, cost, parameters))
            fronts[cost] = _undominated(both, cost, parameters)
    found = []
    for name, constraints in budgets.items():
        best = top_candidates(kept[name], constraints, parameters, ranked_by, kinds)
        if best.empty:
            raise impossible(name, constraints, near[name], rows, whole_space=whole_space)
        best.insert(0, "budget", name)
        found.append(best)
    front = [
        pareto_fronts(table, rank_score(table, parameters.rank_by, parameters.confidence), [cost])
        for cost, table in fronts.items()
    ]
    return pd.concat(found, ignore_index=True), pd.concat(front, ignore_index=True)


def _joined(before: pd.DataFrame | None, more: pd.DataFrame) -> pd.DataFrame:
    return more if before is None else pd.concat([before, more], ignore_index=True)


def _undominated(table: pd.DataFrame, cost: CostName, parameters: SearchParameters) -> pd.DataFrame:
    """Rows on the front of score and one cost."""
    score = rank_score(table, parameters.rank_by, parameters.confidence)
    return table.iloc[pareto_rows(score, table[COST_COLUMNS[cost]].to_numpy())]


def kinds_in_turn(space: SearchSpace, parameters: SearchParameters) -> Kinds | None:
    """Which networks of a space take turns among the candidates: of several sizes and widths those of each; or none."""
    return space.labels_of if parameters.take_turns and isinstance(space, ChainFamily) else None


def _known_costs(table: pd.DataFrame) -> list[CostName]:
    return ["macs", "params", *(["latency_ms"] if table["predicted_latency_ms"].notna().any() else [])]  # type: ignore[list-item]


def predicted(
    predictor: Predictor, space: SearchSpace, choices: Choices, cost_table: pd.DataFrame, latency_table: pd.DataFrame
) -> pd.DataFrame:
    """``enumeration.SCORED_COLUMNS`` of canonical rows, by the predictor and the cost tables."""
    prediction = predictor.predict(ArchitectureBatch(space, choices, cost_table=cost_table, canonical=True))
    costs = costs_of(space, choices, cost_table, latency_table)
    if "predicted_latency_ms" not in costs:
        costs["predicted_latency_ms"] = np.nan
    named = costs.assign(
        network=pd.Series(space.names(choices), dtype="str"),
        predicted_score=prediction.mean,
        predicted_std=prediction.std,
    )
    return named[SCORED_COLUMNS]


def evolved(
    predictor: Predictor,
    space: SearchSpace,
    budgets: Mapping[str, Sequence[Constraint]],
    parameters: SearchParameters,
    *,
    sample: pd.DataFrame,
    cost_table: pd.DataFrame,
    latency_table: pd.DataFrame,
    seed: int,
    ranked_by: RankedBy = "predicted_score",
) -> pd.DataFrame:
    """All different networks of ``sample`` and of what the evolutions for budgets and fronts visited, scored.

    Args:
        predictor: the objective.
        space: what to search.
        budgets: bounds by budget; each has an evolution of its own, whose first generation holds the sample's best.
        parameters: how to rank, and the settings of the evolutions.
        sample: networks that were predicted already, ``enumeration.SCORED_COLUMNS``; may be empty.
        cost_table: counted parts.
        latency_table: latency of parts; may be empty.
        seed: of every random choice.
        ranked_by: what the evolutions for budgets maximise; those for fronts go by the score.

    Raises:
        ArchatlasError: only some networks of the space are known, so that what an evolution proposes may not be.
    """
    from archatlas.search.evolution import evolve

    if isinstance(space, Restricted):
        raise ArchatlasError(
            f"`search.method`: an evolution proposes any network of {space.name}, but only {space.networks:,} are "
            "known: take auto or enumerate, and let `atlas.max_networks` be at least that many"
        )

    def predict(choices: Choices) -> pd.DataFrame:
        return predicted(predictor, space, choices, cost_table, latency_table)

    def objective(table: pd.DataFrame) -> NDArray[np.float64]:
        return rank_score(table, parameters.rank_by, parameters.confidence)

    def of_budget(table: pd.DataFrame) -> NDArray[np.float64]:
        return merit(table, parameters, ranked_by)

    def best(constraints: Sequence[Constraint], ranked_by: RankedBy = "predicted_score") -> Choices:
        half = parameters.model_copy(update={"top_k": settings.population // 2})
        found = top_candidates(sample, constraints, half, ranked_by, kinds_in_turn(space, parameters))
        return space.parse(found["network"].to_numpy(dtype=np.str_))

    settings = parameters.evolution
    visited = [
        evolve(
            space,
            predict,
            constraints,
            parameters=settings,
            evaluations=settings.evaluations,
            seed=mixed_seed(seed, _BUDGETS, number),
            objective=of_budget,
            start=best(constraints, ranked_by),
        )
        for number, constraints in enumerate(budgets.values())
    ]
    if settings.front_evaluations:
        visited += [
            evolve(
                space,
                predict,
                [],
                parameters=settings,
                evaluations=settings.front_evaluations,
                seed=mixed_seed(seed, _FRONTS, number),
                objective=objective,
                against=cost,
                start=best([]),
            )
            for number, cost in enumerate(_known_costs(visited[0]))
        ]
    return pd.concat([sample, *visited], ignore_index=True).drop_duplicates("network", ignore_index=True)
