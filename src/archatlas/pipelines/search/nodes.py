"""The node that answers every budget."""

import logging
from typing import Any

import pandas as pd

from archatlas.pipelines.space import searched_space
from archatlas.search.parameters import SearchParameters
from archatlas.storage.table_file import AnyTable, parts_of

_LOGGER = logging.getLogger(__name__)


def search(
    atlas: AnyTable,
    evaluations: pd.DataFrame,
    class_counts: pd.DataFrame,
    cost_table: pd.DataFrame,
    latency_table: pd.DataFrame,
    calibrated_predictor: dict[str, Any],
    calibrated_predictor_state: dict[str, Any],
    search_space: dict[str, Any],
    search: SearchParameters,
    seed: int,
    supernet_schedule: dict[str, Any] | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Candidates of every budget, the Pareto fronts, and every bound in its cost's unit as the search used it.

    Where evaluations or predictions have no signal, candidates are ranked by MACs, the most first. An atlas of the
    whole space is read from its file part by part.
    """
    from archatlas.costs.ranges import least_and_most
    from archatlas.predictors.make import load_predictor, scores_learned
    from archatlas.search.answer import answer, evolved, kinds_in_turn, reads_atlas
    from archatlas.search.budgets import constraints_of, feasibility, require_feasible
    from archatlas.search.enumeration import scored
    from archatlas.signals.ranking import log_ranking, ranked_by, signals_of_scores
    from archatlas.spaces.protocol import networks_of

    made = searched_space(search_space)
    # Anew, and not from measure_costs: a changed budget asks for this stage alone.
    constraints = feasibility(search.budgets, least_and_most(made, cost_table, latency_table))
    require_feasible(constraints)
    bounds = constraints_of(constraints)
    budgets = {name: bounds.get(name, []) for name in search.budgets}
    target, scheduled = scores_learned(calibrated_predictor), bool(supernet_schedule)
    signals = signals_of_scores(evaluations, class_counts, atlas, target, scheduled=scheduled)
    rank = ranked_by(signals, calibrated="scores" in calibrated_predictor)
    log_ranking(_LOGGER, signals, rank)
    kinds = kinds_in_turn(made, search)
    if reads_atlas(made, len(atlas), search):
        whole = len(atlas) == networks_of(made)
        parts = map(scored, parts_of(atlas))
        candidates, front = answer(parts, budgets, search, whole_space=whole, ranked_by=rank, kinds=kinds)
        return candidates, front, constraints
    visited = evolved(
        load_predictor(calibrated_predictor, calibrated_predictor_state, made),
        made,
        budgets,
        search,
        sample=scored(pd.concat(parts_of(atlas), ignore_index=True)),
        cost_table=cost_table,
        latency_table=latency_table,
        seed=seed,
        ranked_by=rank,
    )
    candidates, front = answer([visited], budgets, search, whole_space=False, ranked_by=rank, kinds=kinds)
    return candidates, front, constraints
