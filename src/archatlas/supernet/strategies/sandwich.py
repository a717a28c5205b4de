"""The sandwich rule (Yu & Huang, ICCV 2019, section 3.1; without its distillation)."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from archatlas.spaces.protocol import SearchSpace
from archatlas.supernet.strategies.extremes import extreme_paths
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
        """For a chain; raises ArchatlasError for any other space."""
        largest, smallest = extreme_paths(space, "`supernet.strategy` sandwich", "take uniform or fair")
        return cls(weights, largest, smallest)
