"""Strict fairness (FairNAS: Chu et al., ICCV 2021, section 3.2)."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class FairPaths:
    """As many paths a step as the most choices at a position; at each position they go through all choices.

    A position's choices are a fresh permutation, paired at random with those of the others. Positions with fewer
    choices go on with further fresh permutations, cut off at the number of paths: there each choice is trained equally
    often up to one, and equally often on average.
    """

    num_choices: tuple[int, ...]

    def __call__(self, step: int, generator: torch.Generator) -> list[tuple[int, ...]]:
        """The paths of a step; depends on ``generator`` alone."""
        paths = max(self.num_choices)
        columns: list[list[int]] = []
        for count in self.num_choices:
            column: list[int] = []
            while len(column) < paths:
                column += torch.randperm(count, generator=generator).tolist()
            columns.append(column[:paths])
        return list(zip(*columns, strict=True))
