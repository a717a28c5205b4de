"""Single paths (SPOS: Guo et al., ECCV 2020, section 3.3)."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from archatlas.spaces.protocol import SearchSpace
from archatlas.supernet.strategies.weights import ChoiceWeights, draw_path


@dataclass(frozen=True)
class UniformPaths:
    """One path a step; where the choices of a position weigh the same, each is equally likely."""

    weights: ChoiceWeights

    def __call__(self, step: int, generator: torch.Generator) -> list[tuple[int, ...]]:
        """The paths of a step; depends on ``generator`` alone."""
        return [draw_path(self.weights, generator)]

    @classmethod
    def of(cls, space: SearchSpace, weights: ChoiceWeights) -> UniformPaths:
        """For any space."""
        return cls(weights)
