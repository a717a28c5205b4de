"""The least and the largest cost in a space."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from archatlas.costs.constraints import COST_COLUMNS
from archatlas.costs.counting import count_parts
from archatlas.costs.network_latency import is_of_networks
from archatlas.costs.table import costs_of, of_member, part_costs
from archatlas.spaces.protocol import CountedInBulk, Enumerable, SearchSpace, chains_of, draw_at_most
from archatlas.spaces.restricted import Restricted

MOST_COUNTED = 20_000
"""Networks of a space that is not a chain are built one by one, so only this many are."""
_DRAWN, _SEED = 400, 0
"""Networks whose costs stand for those of a space that is larger, or not to be written out; and how they are drawn."""


def least_and_most(
    space: SearchSpace, cost_table: pd.DataFrame | None = None, latency_table: pd.DataFrame | None = None
) -> pd.DataFrame:
    """The extremes of each cost.

    They are exact in a whole chain, without enumerating it, since positions choose freely; and in a space that is small
    enough to be written out. Of any other space they are those of at most 400 networks that its sampler drew.

    Returns:
        Columns cost (macs, params and, if there is a latency table, latency_ms), least, most (float64), exact (bool).
    """
    free = bool(chains_of(space)) and not isinstance(space, Restricted)
    summed = latency_table is None or not is_of_networks(latency_table)
    listed = isinstance(space, Enumerable) and (isinstance(space, CountedInBulk) or space.networks <= MOST_COUNTED)
    extremes = _of_parts if free and summed else _of_networks if listed else _of_some_networks
    rows = extremes(space, cost_table, latency_table)
    table = pd.DataFrame(rows, columns=["cost", "least", "most"]).assign(exact=(free and summed) or listed)
    return table.astype({"cost": "str", "least": "float64", "most": "float64", "exact": "bool"})


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
    assert isinstance(space, Enumerable)
    return _extremes_of(costs_of(space, space.enumerate_networks(0, space.networks), cost_table, latency_table))


def _of_some_networks(space: SearchSpace, cost_table: pd.DataFrame | None, latency_table: pd.DataFrame | None) -> _Rows:
    choices = draw_at_most(space, _DRAWN, np.random.default_rng(_SEED))
    return _extremes_of(costs_of(space, choices, cost_table, latency_table))


def _extremes_of(costs: pd.DataFrame) -> _Rows:
    known = [(cost, costs[column]) for cost, column in COST_COLUMNS.items() if column in costs]
    return [(cost, float(values.min()), float(values.max())) for cost, values in known]
