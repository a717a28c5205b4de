"""Uniform single path (SPOS: Guo et al., ECCV 2020, section 3.3)."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class UniformPaths:
    """One path a step, every choice at every position equally likely."""

    num_choices: tuple[int, ...]

    def __call__(self, step: int, generator: torch.Generator) -> list[tuple[int, ...]]:
        """The paths of a step; depends on ``generator`` alone."""
        return [draw_path(self.num_choices, generator)]


def draw_path(num_choices: tuple[int, ...], generator: torch.Generator) -> tuple[int, ...]:
    """A path drawn uniformly from the product of the positions' choices."""
    # In float64, where floor(u * n) of u < 1 stays below n for every number of choices that there can be.
    draws = torch.rand(len(num_choices), generator=generator, dtype=torch.float64).tolist()
    return tuple(int(draw * count) for draw, count in zip(draws, num_choices, strict=True))
