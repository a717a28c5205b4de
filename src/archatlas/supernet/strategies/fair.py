"""Strict fairness (FairNAS: Chu et al., ICCV 2021, section 3.2), for choices of any weight."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

import torch

from archatlas.spaces.protocol import SearchSpace
from archatlas.supernet.strategies.weights import ChoiceWeights


@dataclass(frozen=True)
class FairPaths:
    """As many paths a step as the most choices at a position; at each position they go through all choices.

    Of ``n`` paths a choice is in ``n * weight / (sum of the position's weights)``, rounded up or down at random so that
    it is in as many on average (systematic sampling). Where all weigh the same and none is missing that is once each:
    strict fairness. Which choice of one position meets which of another is random.
    """

    weights: ChoiceWeights

    def __call__(self, step: int, generator: torch.Generator) -> list[tuple[int, ...]]:
        """The paths of a step; depends on ``generator`` alone."""
        paths = max(map(len, self.weights))
        columns = [_spread(of_choices, paths, generator) for of_choices in self.weights]
        return list(zip(*columns, strict=True))

    @classmethod
    def of(cls, space: SearchSpace, weights: ChoiceWeights) -> FairPaths:
        """For any space."""
        return cls(weights)


def _spread(weights: tuple[float, ...], paths: int, generator: torch.Generator) -> list[int]:
    """The choice of each path: points one apart from a random start, on a line that weights divide among choices."""
    ends = torch.tensor(list(accumulate(weights)), dtype=torch.float64) * (paths / sum(weights))
    points = torch.rand(1, generator=generator, dtype=torch.float64) + torch.arange(paths)
    chosen = torch.searchsorted(ends, points, right=True).clamp(max=len(weights) - 1)
    order = torch.randperm(paths, generator=generator)
    return [int(choice) for choice in chosen[order]]
