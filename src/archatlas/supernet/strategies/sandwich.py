"""The sandwich rule (Yu & Huang, ICCV 2019, section 3.1; without its distillation)."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from archatlas.errors import ArchatlasError
from archatlas.spaces.protocol import PrefixShared, SearchSpace
from archatlas.supernet.strategies.weights import ChoiceWeights, draw_path


@dataclass(frozen=True)
class SandwichPaths:
    """The largest, the smallest and ``random`` drawn paths in every step."""

    weights: ChoiceWeights
    largest: tuple[int, ...]
    smallest: tuple[int, ...]
    random: int = 1

    def __call__(self, step: int, generator: torch.Generator) -> list[tuple[int, ...]]:
        """The paths of a step; depends on ``generator`` alone."""
        drawn = [draw_path(self.weights, generator) for _ in range(self.random)]
        return [self.largest, self.smallest, *drawn]

    @classmethod
    def of(cls, space: SearchSpace, weights: ChoiceWeights) -> SandwichPaths:
        """For a chain: at every position the choice with the most (fewest) counted MACs.

        Ties go to more (fewer) parameters, then to the first. Since a chain's MACs are a sum over its positions, these
        are the largest and the smallest architecture by MACs.

        Raises:
            ArchatlasError: the space is no chain.
        """
        if not isinstance(space, PrefixShared):
            raise ArchatlasError(
                f"`supernet.strategy` sandwich trains the largest and the smallest path of a chain of blocks, but "
                f"{space.name} is no chain: take uniform or fair"
            )
        costs = [
            [_cost(space, position, choice) for choice in range(count)]
            for position, count in enumerate(space.num_choices)
        ]
        largest = tuple(max(range(len(row)), key=row.__getitem__) for row in costs)
        smallest = tuple(min(range(len(row)), key=row.__getitem__) for row in costs)
        return cls(weights, largest, smallest)


def _cost(space: PrefixShared, position: int, choice: int) -> tuple[int, int]:
    from archatlas.networks.counting import count_module

    cost = count_module(lambda: space.make_block(position, choice), space.block_input_shape(position))
    return cost.macs, cost.params
