"""Single paths in which blocks stand more often than skips (ours)."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from archatlas.errors import ArchatlasError
from archatlas.spaces.protocol import HasSkips, SearchSpace


@dataclass(frozen=True)
class BlocksFirstPaths:
    """One path a step; at every position a skip is drawn ``skip_weight`` times as often as each block.

    Blocks need training and skips do not. Under uniform paths a block is trained in a share of the steps, and mostly in
    company of skips: networks of many blocks are then judged by weights that have seldom been trained together, and
    seem worse than they are (docs/results.md).
    """

    weights: tuple[tuple[float, ...], ...]

    def __call__(self, step: int, generator: torch.Generator) -> list[tuple[int, ...]]:
        """The paths of a step; depends on ``generator`` alone."""
        return [tuple(_drawn(weights, generator) for weights in self.weights)]

    @classmethod
    def of(cls, space: SearchSpace, skip_weight: float) -> BlocksFirstPaths:
        """For a space that has skips; raises ArchatlasError for another."""
        if not isinstance(space, HasSkips):
            raise ArchatlasError(
                f"`supernet.strategy` blocks_first draws skips less often than blocks, but {space.name} has none that "
                "it could tell: take uniform or fair"
            )
        return cls(
            tuple(
                tuple(skip_weight if choice == skip else 1.0 for choice in range(count))
                for count, skip in zip(space.num_choices, space.skips, strict=True)
            )
        )


def _drawn(weights: tuple[float, ...], generator: torch.Generator) -> int:
    return int(torch.multinomial(torch.tensor(weights, dtype=torch.float64), 1, generator=generator))
