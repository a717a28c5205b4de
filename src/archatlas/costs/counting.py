"""Counted costs of the parts of a chain: stem, every choice at every position, head."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from archatlas.spaces.protocol import ChainFamily, ChainLike, SearchSpace, chains_of

if TYPE_CHECKING:
    from torch import nn

KEY = ["part", "position", "choice"]
"""Columns that name a part in every cost table."""

MEMBER = "member"
"""Column of tables of parts, where the space is a family of chains: the label of the chain that a part is of."""

_COST_TYPES = {
    "part": "str", "position": "int64", "choice": "int64", "operation": "str", "macs": "int64", "params": "int64",
}  # fmt: skip


@dataclass(frozen=True)
class Part:
    """One thing that a network of the space may hold.

    ``position`` is -1 for the stem and the number of positions for the head, whose ``choice`` is 0. ``input_shape`` is
    channels, height, width. ``make`` builds the part afresh.
    """

    part: Literal["stem", "block", "head"]
    position: int
    choice: int
    operation: str
    input_shape: tuple[int, int, int]
    make: Callable[[], nn.Module]


def parts_of(space: ChainLike) -> list[Part]:
    """Stem, blocks by position and choice, head: in the order of a forward pass."""
    positions = len(space.num_choices)
    blocks = [
        _block(space, position, choice)
        for position, choices in enumerate(space.num_choices)
        for choice in range(choices)
    ]
    return [
        Part("stem", -1, 0, "stem", space.input_shape, space.make_stem),
        *blocks,
        Part("head", positions, 0, "head", space.block_input_shape(positions), space.make_head),
    ]


def _block(space: ChainLike, position: int, choice: int) -> Part:
    return Part(
        "block",
        position,
        choice,
        operation_name(space, position, choice),
        space.block_input_shape(position),
        lambda: space.make_block(position, choice),
    )


def operation_name(space: ChainLike, position: int, choice: int) -> str:
    """The space's own word for a choice (``k3e6``, ``skip``), or ``choice_<index>`` if it has none."""
    operation = getattr(space, "operation", None)
    return f"choice_{choice}" if operation is None else str(operation(position, choice))


def distinct_parts(parts: Sequence[Part]) -> tuple[list[Part], list[int]]:
    """Parts that differ in input shape, operation or the module as PyTorch prints it; and each part's index there."""
    import torch

    distinct: list[Part] = []
    seen: dict[tuple[Any, ...], int] = {}
    index = []
    for part in parts:
        with torch.device("meta"):
            key = (part.part, part.input_shape, part.operation, repr(part.make()))
        if key not in seen:
            seen[key] = len(distinct)
            distinct.append(part)
        index.append(seen[key])
    return distinct, index


def count_parts(space: SearchSpace) -> pd.DataFrame:
    """MACs (per image) and parameters of every part, counted by PyTorch's own counter on the meta device.

    Returns:
        Columns part (stem, block, head), position, choice, operation, macs, params; of a family of chains also
        ``member``. Empty for a space of no chains: ``costs_of`` then counts each of its networks.
    """
    from archatlas.networks.counting import count_module

    parts = [(label, part) for label, chain in chains_of(space).items() for part in parts_of(chain)]
    distinct, index = distinct_parts([part for _, part in parts])
    costs = [count_module(part.make, part.input_shape) for part in distinct]
    rows = [
        (part.part, part.position, part.choice, part.operation, costs[which].macs, costs[which].params)
        for (_, part), which in zip(parts, index, strict=True)
    ]
    members = [label for label, _ in parts]
    table = pd.DataFrame(rows, columns=list(_COST_TYPES)).astype(_COST_TYPES)
    return with_members(table, space, members)


def with_members(table: pd.DataFrame, space: SearchSpace, members: Sequence[str]) -> pd.DataFrame:
    """A table of parts with the ``member`` of each row, if the space is a family of chains."""
    return table.assign(**{MEMBER: pd.Series(list(members), dtype="str")}) if isinstance(space, ChainFamily) else table
