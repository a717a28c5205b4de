"""The node that answers every budget."""

from typing import Any

import pandas as pd

from archatlas.kedro_ext.dependencies import depends_on
from archatlas.pipelines.space import public_table, searched_space
from archatlas.search.parameters import SearchParameters
from archatlas.spaces.parameters import SpaceParameters
from archatlas.spaces.tables.parameters import TableParameters


@depends_on(files=(public_table,))
def search(
    atlas: pd.DataFrame,
    cost_table: pd.DataFrame,
    latency_table: pd.DataFrame,
    calibrated_predictor: dict[str, Any],
    calibrated_predictor_state: dict[str, Any],
    image_description: dict[str, Any],
    search: SearchParameters,
    space: SpaceParameters,
    seed: int,
    table: TableParameters | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Candidates of every budget, the Pareto fronts, and every bound in its cost's unit as the search used it."""
    from archatlas.costs.ranges import least_and_most
    from archatlas.search.answer import answer, evolved, reads_atlas
    from archatlas.search.budgets import constraints_of, feasibility, require_feasible
    from archatlas.search.enumeration import scored

    made = searched_space(image_description, space, table)
    # Anew, and not from measure_costs: a changed budget asks for this stage alone.
    constraints = feasibility(search.budgets, least_and_most(made, cost_table, latency_table))
    require_feasible(constraints)
    bounds = constraints_of(constraints)
    budgets = {name: bounds.get(name, []) for name in search.budgets}
    predicted = scored(atlas)
    if reads_atlas(made, len(predicted), search):
        candidates, front = answer(predicted, budgets, search, whole_space=len(predicted) == made.networks)
        return candidates, front, constraints
    from archatlas.predictors.registry import load_predictor

    visited = evolved(
        load_predictor(calibrated_predictor, calibrated_predictor_state),
        made,
        budgets,
        search,
        sample=predicted,
        cost_table=cost_table,
        latency_table=latency_table,
        seed=seed,
    )
    candidates, front = answer(visited, budgets, search, whole_space=False)
    return candidates, front, constraints
