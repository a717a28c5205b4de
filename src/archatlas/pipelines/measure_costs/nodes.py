"""The nodes that price a search space and stop a run whose budgets nothing can keep."""

from typing import Any

import pandas as pd

from archatlas.costs.parameters import CostsParameters
from archatlas.kedro_ext.dependencies import depends_on, tried_ahead
from archatlas.pipelines.space import public_table, searched_space
from archatlas.pipelines.timing import timed_on
from archatlas.search.parameters import SearchParameters
from archatlas.spaces.tables.parameters import TableParameters


def summarise_space(search_space: dict[str, Any], seed: int) -> dict[str, Any]:
    """What there is to search: name, size, networks, sampler, positions, choices, shape, classes, an example.

    Of a space that cannot be counted exactly size and networks are None.
    """
    import numpy as np

    from archatlas.spaces.protocol import Counted, networks_of

    made = searched_space(search_space)
    example = made.names(made.sample(1, np.random.default_rng(seed)))[0]
    return {
        "name": made.name,
        "size": made.size if isinstance(made, Counted) else None,
        "networks": networks_of(made),
        "sampler": made.sampler,
        "positions": len(made.num_choices),
        "num_choices": list(made.num_choices),
        "input_shape": list(made.input_shape),
        "num_classes": made.num_classes,
        "example": str(example),
    }


def count_costs(search_space: dict[str, Any]) -> pd.DataFrame:
    """MACs and parameters of every part of the space; empty for a space that is not made of parts."""
    from archatlas.costs.counting import count_parts
    from archatlas.spaces.search_space import read_space

    return count_parts(read_space(search_space))


@depends_on(files=("costs.latency.table", public_table), states=(timed_on,))
def measure_latency(
    search_space: dict[str, Any],
    costs: CostsParameters,
    seed: int,
    table: TableParameters | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Latency of every part, measured here or imported, and predicted against measured latency of whole networks.

    Or the latency of every network, as a public table has it.
    """
    if table is not None and costs.latency.source == "table":
        from archatlas.costs.latency_columns import no_check
        from archatlas.costs.network_latency import network_latency_table
        from archatlas.spaces.tables.known import known_networks

        column = str(costs.latency.column)
        return network_latency_table(known_networks(table).latency(column), column), no_check()
    from archatlas.costs.latency import latency_tables

    return latency_tables(searched_space(search_space), costs.latency, seed)


@tried_ahead
def check_budgets(
    cost_table: pd.DataFrame,
    latency_table: pd.DataFrame,
    search_space: dict[str, Any],
    search: SearchParameters,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The least and largest cost beside every bound; stops the run if no network can keep a budget."""
    from archatlas.costs.ranges import least_and_most
    from archatlas.search.budgets import constraints_of, feasibility, require_feasible, require_jointly_feasible
    from archatlas.search.enumeration import jointly_feasible

    made = searched_space(search_space)
    bounds = feasibility(search.budgets, least_and_most(made, cost_table, latency_table))
    require_feasible(bounds)
    require_jointly_feasible(bounds, jointly_feasible(made, constraints_of(bounds), cost_table, latency_table))
    return bounds, {"feasible": True}
