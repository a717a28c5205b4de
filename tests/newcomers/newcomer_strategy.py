"""A training strategy: two paths a step."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from archatlas.spaces.protocol import SearchSpace
from archatlas.supernet.strategies.weights import ChoiceWeights, draw_path


@dataclass(frozen=True)
class Pairs:
    weights: ChoiceWeights

    def __call__(self, step: int, generator: torch.Generator) -> list[tuple[int, ...]]:
        return [draw_path(self.weights, generator) for _ in range(2)]

    @classmethod
    def of(cls, space: SearchSpace, weights: ChoiceWeights) -> Pairs:
        return cls(weights)
