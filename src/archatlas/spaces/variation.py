"""Mutation and crossover of spaces whose positions choose freely."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from archatlas.spaces.protocol import Choices


class FreeChoices(ABC):
    """What evolution asks of a space, for spaces in which every row of choices is an architecture."""

    @property
    @abstractmethod
    def num_choices(self) -> tuple[int, ...]:
        """How many choices each position has."""

    def mutate(self, choices: Choices, generator: np.random.Generator, probability: float | None = None) -> Choices:
        """Each position takes another of its own choices with ``probability`` (None: one over the positions)."""
        counts = np.array(self.num_choices)
        redrawn = (generator.random(choices.shape) < (probability or 1 / len(counts))) & (counts > 1)
        steps = 1 + np.floor(generator.random(choices.shape) * np.maximum(counts - 1, 1)).astype(np.int64)
        return np.where(redrawn, (choices.astype(np.int64) + steps) % counts, choices).astype(np.int8)

    def crossover(self, first: Choices, second: Choices, generator: np.random.Generator) -> tuple[Choices, Choices]:
        """Uniform crossover: each position's choices go to the two children or change places, with even odds."""
        swapped = generator.random(first.shape) < 0.5
        return np.where(swapped, second, first), np.where(swapped, first, second)
