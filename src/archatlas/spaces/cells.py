"""Search spaces of one small cell with operations on its edges: everything but how the network around it is built."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from archatlas.errors import ArchatlasError
from archatlas.graphs.architecture_graphs import ArchitectureGraphs
from archatlas.spaces.edge_cells import NONE, EdgeCells, edge_cells
from archatlas.spaces.protocol import UNIFORM, Choices, Names, choice_matrix
from archatlas.spaces.variation import FreeChoices

if TYPE_CHECKING:
    from torch import nn

_NODES = 4


@dataclass(frozen=True)
class CellSpace(FreeChoices, ABC):
    """Cells of four nodes and six edges, each of which holds one of ``operations``; one position per edge.

    Implements SearchSpace (but for ``build``), Enumerable and HasTwins. ``operations`` starts with the words for none
    and skip. What one network is, and the two other ways to count, is told in ``spaces/edge_cells.py``.
    """

    name: str
    input_shape: tuple[int, int, int]
    num_classes: int
    operations: ClassVar[tuple[str, ...]]
    sampler: ClassVar[str] = UNIFORM
    input_skip_computes: ClassVar[bool] = False

    @classmethod
    @abstractmethod
    def spell(cls, choices: tuple[int, ...]) -> str:
        """The standard notation of one cell."""

    @abstractmethod
    def build(self, choices: ArrayLike) -> nn.Module:
        """The stand-alone network of one row: images ``[b, c, h, w]`` to logits ``[b, classes]``."""

    @classmethod
    def _cells(cls) -> EdgeCells:
        return edge_cells(_NODES, len(cls.operations), cls.input_skip_computes)

    @property
    def cells(self) -> EdgeCells:
        """The cells without their names."""
        return self._cells()

    @property
    def num_choices(self) -> tuple[int, ...]:
        return (len(self.operations),) * len(self.cells.edges)

    @property
    def size(self) -> int:
        return self.cells.size

    @property
    def networks(self) -> int:
        return self.cells.networks

    def operation(self, position: int, choice: int) -> str:
        """What the index ``choice`` stands for (at every position alike)."""
        return self.operations[choice]

    positions_title: ClassVar[str] = "edge of the cell (from-to)"
    twins_because: ClassVar[str] = (
        "cells compute the same if they differ in what leads nowhere, or in the order of their nodes alone"
    )
    canonical_form: ClassVar[str] = "Each network counts once, written as its canonical cell."

    def position_label(self, position: int) -> str:
        """The edge that a position stands for, by the cell's nodes: ``0-2``."""
        source, target = self.cells.edges[position]
        return f"{source}-{target}"

    # -- Choice matrices -------------------------------------------------------------------------------------------

    def validate(self, choices: ArrayLike) -> Choices:
        return choice_matrix(choices, self.num_choices, self.name)

    def sample(self, count: int, generator: np.random.Generator) -> Choices:
        if count > self.networks:
            raise ArchatlasError(f"{self.name} has {self.networks:,} networks, but {count:,} were asked for")
        return self.cells.numbered(self.cells.canonical[generator.choice(self.networks, size=count, replace=False)])

    def enumerate_networks(self, start: int, stop: int) -> Choices:
        if not 0 <= start <= stop <= self.networks:
            raise ArchatlasError(f"`0 <= start <= stop <= {self.networks}` must hold, but got {start=}, {stop=}")
        return self.cells.numbered(self.cells.canonical[start:stop])

    def canonicalise(self, choices: Choices) -> Choices:
        return self.cells.numbered(self.cells.canonical[self._network_of(choices)])

    def twins(self, choices: ArrayLike) -> Choices:
        row = self.validate(np.atleast_2d(np.asarray(choices)))
        return self.cells.numbered(np.flatnonzero(self.cells.network_of == self._network_of(row)))

    def draw_twins(self, choices: ArrayLike, count: int, generator: np.random.Generator) -> Choices:
        twins = self.twins(choices)
        return twins[generator.choice(len(twins), size=min(count, len(twins)), replace=False)]

    def _network_of(self, choices: Choices) -> NDArray[np.int64]:
        return self.cells.network_of[self.cells.number(choices)]

    def prune(self, choices: Choices) -> Choices:
        """The same cells with none in the place of every dead operation."""
        return self.cells.prune(choices)

    def formulas(self, choices: Choices) -> NDArray[np.int64]:
        """Numbers of the formulas that the rows compute, ``[n]``: equal for cells that differ in sharing alone."""
        keys = _formula_keys(self.cells)
        return np.searchsorted(keys, self.cells.formula_keys(choices))

    # -- Names -----------------------------------------------------------------------------------------------------

    def names(self, choices: Choices) -> Names:
        return _spelled(type(self))[0][self.cells.number(choices)]

    def parse(self, names: ArrayLike) -> Choices:
        given = np.atleast_1d(np.asarray(names, dtype=np.str_)).tolist()
        numbers = _spelled(type(self))[1]
        unknown = [name for name in given if name not in numbers]
        if unknown:
            example = self.names(self.enumerate_networks(self.networks - 1, self.networks))[0]
            raise ArchatlasError(
                f"{unknown[0]!r} is not the name of an architecture of {self.name}; names look like {str(example)!r}"
            )
        return self.cells.numbered(np.array([numbers[name] for name in given], dtype=np.int64))

    # -- Graphs ----------------------------------------------------------------------------------------------------

    @property
    def graph_features(self) -> tuple[str, ...]:
        return ("input", "output", *(f"operation_{operation}" for operation in self.operations if operation != "none"))

    @cached_property
    def _edge_graph(self) -> NDArray[np.bool_]:
        """Who feeds whom, bool ``[v, v]``: the input, each edge's operation, the output, were all edges joined."""
        edges = self.cells.edges
        sources = [0, *(target for _, target in edges)]
        readers = [*(source for source, _ in edges), _NODES - 1]
        graph = np.zeros((len(edges) + 2, len(edges) + 2), dtype=np.bool_)
        graph[:-1, 1:] = np.equal.outer(sources, readers)
        return graph

    def graphs(self, choices: Choices, *, canonical: bool = False) -> ArchitectureGraphs:
        """Input, a node for each edge's operation, output; dead operations are masked out.

        A skip is a node where the canonical cell has one: where the identity of something is added to something else.
        A network whose output is cut off from its input has no edge at all.
        """
        rows = choices if canonical else self.canonicalise(choices)
        count, edges = rows.shape
        features = np.zeros((count, edges + 2, len(self.graph_features)), dtype=np.float32)
        features[:, 0, 0] = features[:, -1, 1] = 1
        graph, edge = np.nonzero(rows != NONE)
        features[graph, edge + 1, 1 + rows[graph, edge]] = 1
        mask = np.ones((count, edges + 2), dtype=np.bool_)
        mask[:, 1:-1] = rows != NONE
        adjacency = self._edge_graph & mask[:, :, None] & mask[:, None, :]
        return ArchitectureGraphs(features, adjacency, mask)


@cache
def _spelled(space: type[CellSpace]) -> tuple[Names, dict[str, int]]:
    """Names of all cells by their numbers, and the numbers of all names; made once per process."""
    cells = space._cells()
    names = [space.spell(tuple(row)) for row in cells.numbered(np.arange(cells.size)).tolist()]
    return np.array(names, dtype=np.str_), {name: number for number, name in enumerate(names)}


@cache
def _formula_keys(cells: EdgeCells) -> NDArray[np.uint64]:
    return np.unique(cells.formula_keys(cells.numbered(np.arange(cells.size))))
