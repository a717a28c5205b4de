"""Single paths as the space itself draws networks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from archatlas.spaces.protocol import SearchSpace
from archatlas.supernet.strategies.weights import ChoiceWeights


@dataclass(frozen=True)
class SampledPaths:
    """One network a step, by the space's sampler: for spaces in which few rows of free choices are of any use."""

    space: SearchSpace

    def __call__(self, step: int, generator: torch.Generator) -> list[tuple[int, ...]]:
        """The paths of a step; depends on ``generator`` alone."""
        seed = int(torch.randint(2**62, (), generator=generator))
        return [tuple(self.space.sample(1, np.random.default_rng(seed))[0].tolist())]

    @classmethod
    def of(cls, space: SearchSpace, weights: ChoiceWeights) -> SampledPaths:
        """For any space; weights of choices are not the sampler's."""
        return cls(space)
