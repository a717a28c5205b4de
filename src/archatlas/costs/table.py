"""Costs of many architectures at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from archatlas.costs.counting import MEMBER, count_parts
from archatlas.costs.latency_columns import LATENCY
from archatlas.costs.network_latency import is_of_networks, latency_of
from archatlas.errors import ArchatlasError
from archatlas.spaces.protocol import ChainFamily, Choices, CountedInBulk, SearchSpace, chains_of
from archatlas.spaces.restricted import Restricted


def costs_of(
    space: SearchSpace,
    choices: Choices,
    cost_table: pd.DataFrame | None = None,
    latency_table: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Costs of the rows of a choice matrix ``[n, positions]``.

    A chain's cost is the sum over its parts: ``cost = stem + sum_p block[p, choice_p] + head``. Networks of other
    spaces are counted as the space can do it in bulk, or built and counted on the meta device, one by one.

    Args:
        space: what the rows are choices of.
        choices: one architecture a row.
        cost_table: from ``count_parts``; counted here if None.
        latency_table: from ``measure_parts``, ``import_table`` or ``network_latency_table``; None or empty: no latency.

    Returns:
        int64 columns macs (per image), params and, if there is a latency table, float64 ``predicted_latency_ms`` (of
        one batch of the table's size); ``n`` rows.

    Raises:
        ArchatlasError: a table lacks a part of the space.
    """
    return with_latency(_counted(space, choices, cost_table), space, choices, latency_table)


def with_latency(
    costs: pd.DataFrame,
    space: SearchSpace,
    choices: Choices,
    latency_table: pd.DataFrame | None,
    *,
    canonical: bool = False,
) -> pd.DataFrame:
    """Counted costs of rows with the column that ``costs_of`` adds to them where there is a latency table.

    ``canonical`` says that the rows are known to be canonical.
    """
    if latency_table is None or latency_table.empty:
        return costs
    if is_of_networks(latency_table):
        return costs.assign(**{LATENCY: latency_of(space, choices, latency_table, canonical=canonical)})
    if not chains_of(space):
        raise ArchatlasError(
            f"{space.name} is not a chain of parts, so no latency can be predicted: set `costs.latency.source` to "
            "`none`, or to `table` where a public table has latencies"
        )
    return costs.assign(**{LATENCY: summed(latency_table, "latency_ms", space, choices)})


def _counted(space: SearchSpace, choices: Choices, cost_table: pd.DataFrame | None) -> pd.DataFrame:
    if chains_of(space):
        table = count_parts(space) if cost_table is None else cost_table
        return pd.DataFrame({cost: summed(table, cost, space, choices) for cost in ("macs", "params")})
    if isinstance(space, CountedInBulk):
        return pd.DataFrame(space.counted_costs(choices))
    return _count_one_by_one(space, choices)


def _count_one_by_one(space: SearchSpace, choices: Choices) -> pd.DataFrame:
    whole: Any = space.whole if isinstance(space, Restricted) else space
    counted = _counted_before if _is_hashable(whole) else _counted_network
    return pd.DataFrame([counted(whole, row.tobytes()) for row in choices], columns=["macs", "params"], dtype="int64")


def _counted_network(space: SearchSpace, row: bytes) -> tuple[int, int]:
    """MACs and params of the network of a row of choices."""
    from archatlas.networks.counting import count_module

    costs = count_module(partial(space.build, np.frombuffer(row, dtype=np.int8)), space.input_shape)
    return costs.macs, costs.params


_counted_before = lru_cache(maxsize=100_000)(_counted_network)
"""Stages and searches ask for the same networks again and again, and building one takes longer than training a step."""


def _is_hashable(space: SearchSpace) -> bool:
    try:
        hash(space)
    except TypeError:  # A field is a list, say.
        return False
    return True


@dataclass(frozen=True)
class PartCosts:
    """One cost of the parts of a chain: ``fixed`` for stem and head together, an array ``[choices]`` per position."""

    fixed: Any
    blocks: tuple[NDArray[Any], ...]

    def sum(self, choices: Choices) -> NDArray[Any]:
        """The cost of each row of a choice matrix, ``[n]``, in the table's own number type. Memory: two columns."""
        total = np.full(len(choices), self.fixed, dtype=self.blocks[0].dtype)
        for position, costs in enumerate(self.blocks):
            total += costs[choices[:, position]]
        return total


def summed(table: pd.DataFrame, cost: str, space: SearchSpace, choices: Choices) -> NDArray[Any]:
    """One column of a table of parts, summed over those of each network of a chain or a family of chains, ``[n]``."""
    if not isinstance(space, ChainFamily):
        return part_costs(table, cost, space).sum(choices)
    sums = np.zeros(len(choices), dtype=table[cost].to_numpy().dtype)
    for label, rows, own in space.by_member(choices):
        sums[rows] = part_costs(of_member(table, label), cost, space.members[label]).sum(own)
    return sums


def of_member(table: pd.DataFrame, label: str) -> pd.DataFrame:
    """The rows of a table of parts that are of one member of a family; of a chain, all."""
    if MEMBER not in table:
        return table.iloc[:0] if label else table
    return table[table[MEMBER] == label]


def part_costs(table: pd.DataFrame, cost: str, space: SearchSpace) -> PartCosts:
    """One column of a cost table, laid out for summing.

    Raises:
        ArchatlasError: the table lacks a part of the space.
    """
    values = table[cost].to_numpy()
    where = {key: row for row, key in enumerate(zip(table["part"], table["position"], table["choice"], strict=True))}
    last = len(space.num_choices)
    try:
        blocks = tuple(
            values[[where["block", position, choice] for choice in range(count)]]
            for position, count in enumerate(space.num_choices)
        )
        fixed = values[where["stem", -1, 0]] + values[where["head", last, 0]]
    except KeyError as error:
        part, position, choice = error.args[0]
        raise ArchatlasError(
            f"the table of {cost} lacks {part} {position}, choice {choice} of {space.name}: it was made for another "
            "space or is damaged. Run `kedro run --pipelines measure_costs` again."
        ) from error
    return PartCosts(fixed, blocks)
