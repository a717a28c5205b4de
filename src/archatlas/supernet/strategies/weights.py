"""How often each choice of a space is to be trained, and single paths drawn accordingly."""

from __future__ import annotations

import torch

from archatlas.errors import ArchatlasError
from archatlas.spaces.protocol import HasSkips, SearchSpace

ChoiceWeights = tuple[tuple[float, ...], ...]
"""For each position a positive weight of each of its choices; only their ratios count."""


def choice_weights(space: SearchSpace, skip_weight: float) -> ChoiceWeights:
    """1 for every block, ``skip_weight`` for every skip.

    Blocks need training and skips do not. Where skips are drawn like any other choice, blocks are mostly trained in
    company of skips: networks of many blocks are then judged by weights that have seldom been trained together, and
    seem worse than they are (docs/results.md).

    Raises:
        ArchatlasError: ``skip_weight`` is not 1, and the space has no skips that it could tell.
    """
    if skip_weight == 1:
        return tuple((1.0,) * count for count in space.num_choices)
    if not isinstance(space, HasSkips) or all(skip is None for skip in space.skips):
        raise ArchatlasError(
            f"`supernet.skip_weight` is {skip_weight:g}, but {space.name} has no skips that it knows: leave it at 1"
        )
    return tuple(
        tuple(skip_weight if choice == skip else 1.0 for choice in range(count))
        for count, skip in zip(space.num_choices, space.skips, strict=True)
    )


def draw_path(weights: ChoiceWeights, generator: torch.Generator) -> tuple[int, ...]:
    """A path whose choices are drawn by their weights, each position by itself; depends on ``generator`` alone."""
    return tuple(
        int(torch.multinomial(torch.tensor(of_choices, dtype=torch.float64), 1, generator=generator))
        for of_choices in weights
    )
