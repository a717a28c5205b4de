"""The complete graphs that GRAM draws from, and which networks of a space are what was drawn.

Spaces whose choices are the edges of such graphs have them as they are (freely wired cells). Cells of NAS-Bench-101
choose operations as well: there every position stands in the graph once with each operation.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from archatlas.spaces.nas_bench_101 import NasBench101
from archatlas.spaces.protocol import Choices, SearchSpace

Edge = tuple[int, int, int]
"""Cell, source and target; the source 0 is the cell's input, and vertices are counted from 1."""

Drawn = NDArray[np.bool_]
"""Which edges were drawn, bool ``[n, edges]``."""


class Wired(NamedTuple):
    """Networks, what of the drawn edges they consist of, and how many vertices their smallest cell uses, ``[n]``."""

    choices: Choices
    drawn: Drawn
    used: NDArray[np.int64]


class CompleteGraph(Protocol):
    """Cells of ordered vertices, each with all edges from the earlier to the later."""

    @property
    def edges(self) -> tuple[Edge, ...]: ...

    @property
    def fewest(self) -> int:
        """Vertices that a draw must use in each cell for it to be a network at all."""

    @property
    def most(self) -> int:
        """Vertices that a cell can use."""

    def wire(self, drawn: Drawn) -> Wired:
        """The networks of those draws that are one, in their order."""


@runtime_checkable
class _ChoosesEdges(Protocol):
    """A space whose every position is an edge, drawn (1) or not (0)."""

    @property
    def edges(self) -> tuple[Edge, ...]: ...

    @property
    def min_used_vertices(self) -> int: ...

    @property
    def vertices(self) -> int: ...

    def used(self, choices: Choices) -> NDArray[np.int64]:
        """How many vertices each cell uses, ``[n, cells]``."""


@dataclass(frozen=True)
class Edges:
    """The graph of a space whose choices are edges."""

    space: _ChoosesEdges

    @property
    def edges(self) -> tuple[Edge, ...]:
        return self.space.edges

    @property
    def fewest(self) -> int:
        return self.space.min_used_vertices

    @property
    def most(self) -> int:
        return self.space.vertices

    def wire(self, drawn: Drawn) -> Wired:
        choices = drawn.astype(np.int8)
        return Wired(choices, drawn, self.space.used(choices).min(axis=1))


@dataclass(frozen=True)
class TypedVertices:
    """Cells of NAS-Bench-101 as 15 typed vertices and the output, whose edges are drawn, too [ours].

    Five positions with three operations each, position after position; a cell uses at most five of them and nine edges.
    With the output a vertex of its own all cells of the benchmark can be drawn.
    """

    space: NasBench101
    fewest: int = 0

    @property
    def vertices(self) -> int:
        """Typed vertices; the output comes after them."""
        return self.space.cells.inner * len(self.space.operations)

    @property
    def most(self) -> int:
        return self.space.cells.inner

    @cached_property
    def edges(self) -> tuple[Edge, ...]:
        return tuple((0, source, target) for target in range(1, self.vertices + 2) for source in range(target))

    def wire(self, drawn: Drawn) -> Wired:
        """Without what does not lead from the input to the output; where too much is left there is no network."""
        _, sources, targets = np.array(self.edges).T
        size, inner = self.vertices + 2, self.space.cells.inner
        matrix = np.zeros((len(drawn), size, size), dtype=np.bool_)
        matrix[:, sources, targets] = drawn
        fed, read = np.zeros((len(drawn), size), dtype=np.bool_), np.zeros((len(drawn), size), dtype=np.bool_)
        fed[:, 0] = read[:, -1] = True
        for vertex in range(1, size):
            fed[:, vertex] = (fed & matrix[:, :, vertex]).any(axis=1)
        for vertex in reversed(range(size - 1)):
            read[:, vertex] = (read & matrix[:, vertex]).any(axis=1)
        used = fed & read
        matrix &= used[:, :, None] & used[:, None, :]
        kept = (used[:, 1:-1].sum(axis=1) <= inner) & matrix.any(axis=(1, 2))
        kept &= matrix.sum(axis=(1, 2)) <= self.space.max_edges
        matrix, used = matrix[kept], used[kept]
        places = np.argsort(~used[:, 1:-1], axis=1, kind="stable")[:, :inner] + 1
        order = np.pad(places, ((0, 0), (1, 1)), constant_values=((0, 0), (0, size - 1)))
        small = np.take_along_axis(np.take_along_axis(matrix, order[:, :, None], axis=1), order[:, None, :], axis=2)
        # Unused vertices fill up the five; they have no edges, and their operation is of no account.
        operations = (places - 1) % len(self.space.operations)
        rows = self.space.cells.rows(np.triu(small, 1), operations)
        return Wired(rows, matrix[:, sources, targets], used[:, 1:-1].sum(axis=1))


def complete_graph_of(space: SearchSpace) -> CompleteGraph | None:
    """The graph of a space; None where there is nothing to wire."""
    if isinstance(space, _ChoosesEdges):
        return Edges(space)
    whole = getattr(space, "whole", space)
    return TypedVertices(whole) if isinstance(whole, NasBench101) else None
