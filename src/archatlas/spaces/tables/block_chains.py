"""Chains of blocks that public tables know: how their architectures are named, drawn and encoded."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from archatlas.errors import ArchatlasError
from archatlas.graphs.architecture_graphs import ArchitectureGraphs
from archatlas.spaces.protocol import UNIFORM, Choices, Linked, Names, choice_matrix
from archatlas.spaces.variation import FreeChoices

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class BlockChain(FreeChoices, ABC):
    """A chain of blocks whose positions choose freely. Implements SearchSpace and Counted, but for ``build``."""

    name: str
    input_shape: tuple[int, int, int] = (3, 224, 224)
    num_classes: int = 1000

    sampler: ClassVar[str] = UNIFORM

    @property
    @abstractmethod
    def tokens(self) -> tuple[tuple[str, ...], ...]:
        """The words for the choices of each position, separator in front, all of a position equally long."""

    @abstractmethod
    def canonicalise(self, choices: Choices) -> Choices: ...

    @abstractmethod
    def graphs(self, choices: Choices, *, canonical: bool = False) -> ArchitectureGraphs: ...

    @abstractmethod
    def draw(self, count: int, generator: np.random.Generator) -> Choices:
        """``count`` canonical rows, each uniform over all networks; may repeat."""

    @property
    def num_choices(self) -> tuple[int, ...]:
        return tuple(len(words) for words in self.tokens)

    @property
    def size(self) -> int:
        return math.prod(self.num_choices)

    @property
    def networks(self) -> int:
        return self.size

    def validate(self, choices: ArrayLike) -> Choices:
        return choice_matrix(choices, self.num_choices, self.name)

    def sample(self, count: int, generator: np.random.Generator) -> Choices:
        if count > self.networks:
            raise ArchatlasError(f"{self.name} has {self.networks:,} networks, but {count:,} were asked for")
        rows = np.empty((0, len(self.num_choices)), dtype=np.int8)
        while len(rows) < count:
            rows = np.concatenate([rows, self.draw(count, generator)])
            _, first = np.unique(rows, axis=0, return_index=True)
            rows = rows[np.sort(first)]
        return rows[:count]

    def names(self, choices: Choices) -> Names:
        tokens = self.tokens
        spelled = [
            "".join(words[choice] for words, choice in zip(tokens, row, strict=True)) for row in choices.tolist()
        ]
        return np.array(spelled, dtype=np.str_)

    def parse(self, names: ArrayLike) -> Choices:
        given = np.atleast_1d(np.asarray(names, dtype=np.str_)).tolist()
        known = [{word: choice for choice, word in enumerate(words)} for words in self.tokens]
        ends = np.cumsum([len(words[0]) for words in self.tokens]).tolist()
        starts = [0, *ends[:-1]]
        choices = np.full((len(given), len(known)), -1, dtype=np.int8)
        for row, name in enumerate(given):
            if len(name) == ends[-1]:
                parts = [name[start:end] for start, end in zip(starts, ends, strict=True)]
                choices[row] = [words.get(part, -1) for words, part in zip(known, parts, strict=True)]
        bad = np.flatnonzero((choices < 0).any(axis=1))
        if len(bad):
            example = "".join(words[0] for words in self.tokens)
            raise ArchatlasError(
                f"{given[bad[0]]!r} is not the name of an architecture of {self.name}; names look like {example!r}"
            )
        return choices

    @abstractmethod
    def build(self, choices: ArrayLike) -> nn.Module: ...


def chain_graphs(features: NDArray[np.float32], present: NDArray[np.bool_]) -> ArchitectureGraphs:
    """Chains of the layers that are present, between an input and an output node.

    Args:
        features: ``[n, layers, f]`` of layers; the first two features are left for "input" and "output"
        present: bool ``[n, layers]``
    """
    count, layers, width = features.shape
    mask = np.pad(present, ((0, 0), (1, 1)), constant_values=True)
    full = np.zeros((count, layers + 2, width), dtype=np.float32)
    full[:, 1:-1] = np.where(present[:, :, None], features, 0)
    full[:, 0, 0] = full[:, -1, 1] = 1
    before = np.maximum.accumulate(np.where(mask, np.arange(layers + 2), 0), axis=1)[:, :-1]
    adjacency = np.zeros((count, layers + 2, layers + 2), dtype=np.bool_)
    graph, node = np.nonzero(mask[:, 1:])
    adjacency[graph, before[graph, node], node + 1] = True
    return ArchitectureGraphs(full, adjacency, mask)


def divisible(width: float, by: int = 8) -> int:
    """Channels nearest to ``width`` of which there are a multiple of ``by``, no tenth fewer (MobileNet's rounding)."""
    nearest = max(by, int(width + by / 2) // by * by)
    return nearest + by * (nearest < 0.9 * width)


def halved(side: int, strides: Iterable[int]) -> int:
    """A side of an image after some strides: each rounds up."""
    for stride in strides:
        side = -(-side // stride)
    return side


_counted: dict[Linked, dict[Hashable, tuple[int, int]]] = {}
"""MACs and params of links, by space and key: predictors ask for the same ones again and again."""


def summed_links(space: Linked, choices: Choices) -> dict[str, NDArray[np.int64]]:
    """``macs`` and ``params`` of each row ``[n]``: each different link is counted once in a process."""
    from archatlas.networks.counting import count_module

    known = _counted.setdefault(space, {})
    costs = np.zeros((len(choices), 2), dtype=np.int64)
    for number, row in enumerate(choices):
        for key, make, shape in space.links(row):
            if key not in known:
                counted = count_module(make, shape)
                known[key] = counted.macs, counted.params
            costs[number] += known[key]
    return {"macs": costs[:, 0], "params": costs[:, 1]}
