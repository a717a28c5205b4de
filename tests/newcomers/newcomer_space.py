"""A space with the core alone: graphs of a few nodes, any of which may read any before it. Nobody counts them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field

from archatlas.errors import ArchatlasError
from archatlas.graphs.architecture_graphs import ArchitectureGraphs
from archatlas.spaces.parameters import SpaceParameters
from archatlas.spaces.protocol import Choices, FewerNetworksError, Names, choice_matrix
from archatlas.spaces.variation import FreeChoices

if TYPE_CHECKING:
    from torch import nn

OPERATIONS = ("conv1", "conv3", "pool")


class FreeDagParameters(SpaceParameters):
    """What a free graph is asked to be."""

    has_supernet: ClassVar[bool] = True

    preset: str = Field("free_dag", description="the graphs")
    nodes: int = Field(4, ge=1, le=30, description="nodes between input and output")
    width: int = Field(8, ge=1, le=4096, description="channels of every node")


@dataclass(frozen=True)
class FreeDag(FreeChoices):
    """Nodes that each sum what they read and apply an operation; the output is the mean of what it reads.

    Positions are the operations of the nodes, and then a bit for each pair (reader and what it reads). A node that
    reads nothing reads the input, and what nobody reads the output reads: written so, a row is canonical.
    """

    name: str
    input_shape: tuple[int, int, int]
    num_classes: int
    nodes: int = 4
    width: int = 8

    kind: ClassVar[str] = "free_dag"
    sampler: ClassVar[str] = "stratified by the share of edges"

    @classmethod
    def of(cls, parameters: FreeDagParameters, input_shape: tuple[int, int, int], num_classes: int) -> FreeDag:
        return cls(parameters.preset, input_shape, num_classes, parameters.nodes, parameters.width)

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Who may be read by whom: the input is 0, the output the last."""
        return [pair for pair in combinations(range(self.nodes + 2), 2) if pair != (0, self.nodes + 1)]

    @property
    def num_choices(self) -> tuple[int, ...]:
        return (len(OPERATIONS),) * self.nodes + (2,) * len(self.pairs)

    @property
    def graph_features(self) -> tuple[str, ...]:
        return ("input", "output", *OPERATIONS)

    def validate(self, choices: ArrayLike) -> Choices:
        return choice_matrix(choices, self.num_choices, self.name)

    def canonicalise(self, choices: Choices) -> Choices:
        rows = np.array(choices, dtype=np.int8)
        sources, readers = np.array(self.pairs).T
        for node in range(1, self.nodes + 1):
            reads_nothing = ~rows[:, self.nodes :][:, readers == node].any(axis=1)
            rows[reads_nothing, self.nodes + self.pairs.index((0, node))] = 1
        for node in range(1, self.nodes + 1):
            unread = ~rows[:, self.nodes :][:, sources == node].any(axis=1)
            rows[unread, self.nodes + self.pairs.index((node, self.nodes + 1))] = 1
        return rows

    def sample(self, count: int, generator: np.random.Generator) -> Choices:
        rows = np.zeros((0, len(self.num_choices)), dtype=np.int8)
        for _ in range(100):
            share = generator.random((count, 1))
            operations = generator.integers(0, len(OPERATIONS), (count, self.nodes))
            edges = generator.random((count, len(self.pairs))) < share
            rows = np.concatenate([rows, self.canonicalise(np.concatenate([operations, edges], axis=1))])
            _, first = np.unique(rows, axis=0, return_index=True)
            rows = rows[np.sort(first)]
            if len(rows) >= count:
                return rows[:count]
        raise FewerNetworksError(f"{count:,} different networks of {self.name} could not be drawn: ask for fewer", rows)

    def names(self, choices: Choices) -> Names:
        return np.array(["".join(map(str, row)) for row in choices.tolist()], dtype=np.str_)

    def parse(self, names: ArrayLike) -> Choices:
        given = np.atleast_1d(np.asarray(names, dtype=np.str_)).tolist()
        for name in given:
            if len(name) != len(self.num_choices) or not set(name) <= set("012"):
                example = "0" * self.nodes + "1" * len(self.pairs)
                raise ArchatlasError(
                    f"{name!r} is not the name of an architecture of {self.name}; names look like {example!r}"
                )
        return self.validate([[int(digit) for digit in name] for name in given])

    def graphs(self, choices: Choices, *, canonical: bool = False) -> ArchitectureGraphs:
        rows, count = choices if canonical else self.canonicalise(choices), self.nodes + 2
        features = np.zeros((len(rows), count, len(self.graph_features)), dtype=np.float32)
        features[:, 0, 0] = features[:, -1, 1] = 1
        features[:, 1:-1, 2:] = np.eye(len(OPERATIONS), dtype=np.float32)[rows[:, : self.nodes]]
        adjacency = np.zeros((len(rows), count, count), dtype=np.bool_)
        for place, (source, reader) in enumerate(self.pairs):
            adjacency[:, source, reader] = rows[:, self.nodes + place]
        return ArchitectureGraphs(features, adjacency, np.ones((len(rows), count), dtype=np.bool_))

    # -- Modules ---------------------------------------------------------------------------------------------------

    def make_stem(self) -> nn.Module:
        from archatlas.networks.blocks import ConvNorm

        return ConvNorm(self.input_shape[0], self.width, 3, 2)

    def make_operation(self, choice: int) -> nn.Module:
        from torch import nn

        from archatlas.networks.blocks import ConvNorm

        kernel = (1, 3, 0)[choice]
        return ConvNorm(self.width, self.width, kernel) if kernel else nn.AvgPool2d(3, 1, 1)

    def make_head(self) -> nn.Module:
        from archatlas.networks.blocks import Head

        return Head(self.width, 0, self.num_classes, "relu")

    def readers_of(self, row: Choices) -> list[list[int]]:
        """For each node, and the output, what it reads."""
        canonical = self.canonicalise(np.atleast_2d(row))[0]
        edges = [pair for pair, bit in zip(self.pairs, canonical[self.nodes :], strict=True) if bit]
        return [[source for source, reader in edges if reader == node] for node in range(1, self.nodes + 2)]

    def build(self, choices: ArrayLike) -> nn.Module:
        from archatlas.networks.blocks import Chain

        from .newcomer_network import Graph

        row = self.validate(np.atleast_2d(np.asarray(choices)))[0]
        operations = [self.make_operation(int(choice)) for choice in row[: self.nodes]]
        return Chain(self.make_stem(), [Graph(operations, self.readers_of(row))], self.make_head())
