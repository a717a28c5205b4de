"""The super-network of a space of chains."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from archatlas.networks.blocks import Chain, initialise
from archatlas.spaces.protocol import PrefixShared, SearchSpace
from archatlas.supernet.protocol import Supernet


class ChainSupernet(Supernet):
    """One stem, at every position a block for each choice, one head.

    ``blocks[position][choice]`` is what stands there; no weights are shared between choices.
    """

    judged_by: ClassVar[str] = "prefix_shared"

    def __init__(
        self, space: PrefixShared, num_choices: Sequence[int], image_size: int, generator: torch.Generator
    ) -> None:
        super().__init__(image_size)
        self.stem = space.make_stem()
        self.blocks = nn.ModuleList(
            nn.ModuleList(space.make_block(position, choice) for choice in range(count))
            for position, count in enumerate(num_choices)
        )
        self.head = space.make_head()
        initialise(self, generator)

    @classmethod
    def of(cls, space: SearchSpace, generator: torch.Generator) -> ChainSupernet:
        """The super-network of ``space`` with weights drawn from ``generator``."""
        assert isinstance(space, PrefixShared)
        return cls(space, space.num_choices, space.input_shape[-1], generator)

    def path(self, choices: Sequence[int]) -> list[nn.Module]:
        """The blocks of one architecture, position by position (not copied)."""
        return [self.block(position, choice) for position, choice in enumerate(choices)]

    def block(self, position: int, choice: int) -> nn.Module:
        """What stands at ``position`` for ``choice`` (not copied)."""
        return self.row(position)[int(choice)]

    def row(self, position: int) -> nn.ModuleList:
        """The blocks of all choices at ``position`` (not copied)."""
        row = self.blocks[position]
        assert isinstance(row, nn.ModuleList)
        return row

    def forward(self, images: Tensor, choices: Sequence[int]) -> Tensor:
        """Images ``[b, c, h, w]`` to logits ``[b, classes]`` along one path."""
        x = self.stem(images)
        for position, choice in enumerate(choices):
            x = self.block(position, choice)(x)
        logits: Tensor = self.head(x)
        return logits

    def mixed(self, images: Tensor, gates: Sequence[Tensor], chosen: Sequence[int] | None = None) -> Tensor:
        """Images to logits along all paths at once, or along the chosen one (``Supernet.mixed``)."""
        x = self.stem(images)
        for position, of_position in enumerate(gates):
            places = range(len(of_position)) if chosen is None else [int(chosen[position])]
            computed = [of_position[place] * self.block(position, place)(x) for place in places]
            x = torch.stack(computed).sum(dim=0)
        logits: Tensor = self.head(x)
        return logits

    def parts(self, choices: Sequence[int]) -> list[nn.Module]:
        """Stem, the blocks of the path, head (not copied)."""
        return [self.stem, *self.path(choices), self.head]

    def alternatives(self, choices: Sequence[int]) -> Iterator[tuple[nn.Module, Sequence[nn.Module]]]:
        """Every block of the path, with the others of its position (not copied)."""
        for position, choice in enumerate(choices):
            own = self.block(position, choice)
            yield own, [block for block in self.row(position) if block is not own]

    def extract(self, choices: Sequence[int]) -> Chain:
        """The subnet alone: a deep copy of the path's weights and statistics, with the same logits."""
        return copy.deepcopy(Chain(self.stem, self.path(choices), self.head))
