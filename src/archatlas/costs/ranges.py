"""The least and the largest cost in a space."""

from __future__ import annotations

from typing import Any

import pandas as pd

from archatlas.costs.constraints import COST_COLUMNS
from archatlas.costs.counting import count_parts
from archatlas.costs.network_latency import is_of_networks
from archatlas.costs.table import costs_of, of_member, part_costs
from archatlas.errors import ArchatlasError
from archatlas.spaces.protocol import CountedInBulk, Enumerable, SearchSpace, chains_of
from archatlas.spaces.restricted import Restricted

MOST_COUNTED = 20_000
"""Networks of a space that is not a chain are built one by one, so only this many are."""


def least_and_most(
    space: SearchSpace, cost_table: pd.DataFrame | None = None, latency_table: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Exact extremes of each cost; in a whole chain without enumerating it, since positions choose freely.

    Returns:
        Columns cost (macs, params and, if there is a latency table, latency_ms), least, most (float64).

    Raises:
        ArchatlasError: the space is neither a chain nor small enough to be enumerated.
    """
    free = bool(chains_of(space)) and not isinstance(space, Restricted)
    summed = latency_table is None or not is_of_networks(latency_table)
    extremes = _of_parts if free and summed else _of_networks
    rows = extremes(space, cost_table, latency_table)
    return pd.DataFrame(rows, columns=["cost", "least", "most"]).astype(
        {"cost": "str", "least": "float64", "most": "float64"}
    )


_Rows = list[tuple[str, float, float]]


def _of_parts(space: SearchSpace, cost_table: pd.DataFrame | None, latency_table: pd.DataFrame | None) -> _Rows:
    counted = count_parts(space) if cost_table is None else cost_table
    tables = {"macs": counted, "params": counted}
    if latency_table is not None and not latency_table.empty:
        tables["latency_ms"] = latency_table
    rows = []
    for cost, table in tables.items():
        extremes = [_extremes(of_member(table, label), cost, chain) for label, chain in chains_of(space).items()]
        rows.append((cost, float(min(least for least, _ in extremes)), float(max(most for _, most in extremes))))
    return rows


def _extremes(table: pd.DataFrame, cost: str, chain: SearchSpace) -> tuple[Any, Any]:
    parts = part_costs(table, cost, chain)
    # Added up in the order of `costs_of`, so that a bound at the extreme is kept to the last bit.
    least = most = parts.fixed
    for block in parts.blocks:
        least, most = least + block.min(), most + block.max()
    return least, most


def _of_networks(space: SearchSpace, cost_table: pd.DataFrame | None, latency_table: pd.DataFrame | None) -> _Rows:
    most = space.networks if isinstance(space, CountedInBulk) else MOST_COUNTED
    if not isinstance(space, Enumerable) or space.networks > most:
        raise ArchatlasError(
            f"{space.name} has {space.networks:,} networks whose cost is not a sum over positions: the least and the "
            f"largest cannot be told (at most {MOST_COUNTED:,} networks are counted one by one)"
        )
    costs = costs_of(space, space.enumerate_networks(0, space.networks), cost_table, latency_table)
    known = [(cost, costs[column]) for cost, column in COST_COLUMNS.items() if column in costs]
    return [(cost, float(values.min()), float(values.max())) for cost, values in known]
