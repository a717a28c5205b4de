"""Cells whose vertices hold operations: any directed acyclic graph of a few vertices and a few edges.

Vertex 0 is the cell's input, the last vertex its output (NAS-Bench-101: Ying et al., ICML 2019, section 2.1). A cell is
a row of choices: the upper triangle of the adjacency matrix, column by column, each entry 0 or 1, and then the
operation of each vertex between input and output.

Vertices on no path from input to output are pruned away, and what remains must have at most ``max_edges`` edges. Cells
that differ in nothing but the order of their vertices are one network. The canonical row is the one that the benchmark
itself trained: the first in its own enumeration, by adjacency as a number whose lowest bit is the first entry, then by
operations, pruned vertices last. The order matters, since the first vertices that the output reads get one channel more
where the channels do not divide evenly.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray

from archatlas.spaces.protocol import Choices

Floats = NDArray[np.float64]

_REVERSED = 2.0**42
"""Added to the rank of an order of vertices in which an edge would point backwards."""
_CHUNK = 16_384


@dataclass(frozen=True)
class VertexCells:
    """All cells of at most ``vertices`` vertices and ``max_edges`` edges, with one of ``operations`` per vertex."""

    vertices: int
    max_edges: int
    operations: int

    @cached_property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """Source and target of each entry of the adjacency matrix's upper triangle, column by column."""
        return tuple((source, target) for target in range(1, self.vertices) for source in range(target))

    @property
    def inner(self) -> int:
        """Vertices between input and output."""
        return self.vertices - 2

    @property
    def num_choices(self) -> tuple[int, ...]:
        """Choices of each position: edges, then operations."""
        return (2,) * len(self.pairs) + (self.operations,) * self.inner

    # -- Pruning ---------------------------------------------------------------------------------------------------

    def adjacency(self, choices: Choices) -> NDArray[np.bool_]:
        """Adjacency matrices, bool ``[n, v, v]``."""
        matrices = np.zeros((len(choices), self.vertices, self.vertices), dtype=np.bool_)
        sources, targets = np.array(self.pairs).T
        matrices[:, sources, targets] = choices[:, : len(self.pairs)] > 0
        return matrices

    def rows(self, adjacency: NDArray[np.bool_], operations: NDArray[np.integer]) -> Choices:
        """Inverse of ``adjacency`` and the choices of operations ``[n, v - 2]``."""
        sources, targets = np.array(self.pairs).T
        return np.concatenate([adjacency[:, sources, targets], operations], axis=1).astype(np.int8)

    def used(self, adjacency: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which vertices lie on a path from input to output, bool ``[n, v]``; none at all if there is no path."""
        fed = np.zeros(adjacency.shape[:2], dtype=np.bool_)
        read = np.zeros_like(fed)
        fed[:, 0] = read[:, -1] = True
        for vertex in range(1, self.vertices):
            fed[:, vertex] = (fed & adjacency[:, :, vertex]).any(axis=1)
        for vertex in reversed(range(self.vertices - 1)):
            read[:, vertex] = (read & adjacency[:, vertex]).any(axis=1)
        return fed & read

    def prune(self, choices: Choices) -> Choices:
        """The used vertices in their order, then unused ones without edges and with operation 0."""
        adjacency = self.adjacency(choices)
        used = self.used(adjacency)
        adjacency &= used[:, :, None] & used[:, None, :]
        inner = np.argsort(~used[:, 1:-1], axis=1, kind="stable") + 1
        order = np.pad(inner, ((0, 0), (1, 1)), constant_values=((0, 0), (0, self.vertices - 1)))
        adjacency = np.take_along_axis(adjacency, order[:, :, None], axis=1)
        adjacency = np.take_along_axis(adjacency, order[:, None, :], axis=2)
        operations = np.where(used[:, 1:-1], choices[:, len(self.pairs) :], 0)
        return self.rows(adjacency, np.take_along_axis(operations, inner - 1, axis=1))

    def valid(self, choices: Choices) -> NDArray[np.bool_]:
        """Whether a path joins input and output and at most ``max_edges`` edges remain after pruning, bool ``[n]``."""
        edges = self.prune(choices)[:, : len(self.pairs)].sum(axis=1)
        valid: NDArray[np.bool_] = (edges > 0) & (edges <= self.max_edges)
        return valid

    # -- Isomorphism -----------------------------------------------------------------------------------------------

    @cached_property
    def _ranks(self) -> list[Floats]:
        """For each number of used inner vertices: weights ``[positions, orders]`` that rank a row under each order."""
        place = {pair: index for index, pair in enumerate(self.pairs)}
        labels = float(self.operations**self.inner)
        ranks = []
        for count in range(self.inner + 1):
            columns = []
            for order in permutations(range(1, count + 1)):
                new = [0, *order, *range(count + 1, self.vertices)]
                edges = [
                    labels * 2.0 ** place[new[source], new[target]] if new[source] < new[target] else _REVERSED
                    for source, target in self.pairs
                ]
                weights = [float(self.operations ** (self.inner - new[vertex])) for vertex in range(1, self.inner + 1)]
                columns.append([*edges, *weights])
            ranks.append(np.array(columns).T)
        return ranks

    def canonicalise(self, choices: Choices) -> Choices:
        """The benchmark's own row of each cell; rows must be valid."""
        pruned = self.prune(choices)
        counts = self.used(self.adjacency(pruned))[:, 1:-1].sum(axis=1)
        best = np.zeros(len(pruned))
        for start in range(0, len(pruned), _CHUNK):
            part, of_part = pruned[start : start + _CHUNK], counts[start : start + _CHUNK]
            for count in np.unique(of_part):
                here = of_part == count
                # Exact: all sums are whole numbers below 2^53.
                best[start : start + _CHUNK][here] = (part[here].astype(np.float64) @ self._ranks[count]).min(axis=1)
        bits, labels = np.divmod(best.astype(np.int64), self.operations**self.inner)
        edges = bits[:, None] >> np.arange(len(self.pairs)) & 1
        operations = labels[:, None] // self.operations ** np.arange(self.inner - 1, -1, -1) % self.operations
        return np.concatenate([edges, operations], axis=1).astype(np.int8)

    # -- All of them -----------------------------------------------------------------------------------------------

    @cached_property
    def canonical(self) -> Choices:
        """The canonical row of every network, in the order of the benchmark's enumeration; some seconds."""
        return np.concatenate([self._with_inner(count) for count in range(self.inner + 1)])

    def _with_inner(self, count: int) -> Choices:
        """Canonical rows that use exactly ``count`` inner vertices."""
        structures = self._structures(count)
        labelings = np.array(list(product(range(self.operations), repeat=count)), dtype=np.int8)
        labelings = np.pad(labelings.reshape(self.operations**count, count), ((0, 0), (0, self.inner - count)))
        edges = np.repeat(structures[:, : len(self.pairs)], len(labelings), axis=0)
        rows = np.concatenate([edges, np.tile(labelings, (len(structures), 1))], axis=1)
        canonical: Choices = rows[(self.canonicalise(rows) == rows).all(axis=1)]
        return canonical

    def _structures(self, count: int) -> Choices:
        """Canonical rows of all graphs without operations that use exactly ``count`` inner vertices."""
        entries = [i for i, pair in enumerate(self.pairs) if not set(pair) & set(range(count + 1, self.vertices - 1))]
        found = []
        for start in range(0, 2 ** len(entries), 2**18):
            numbers = np.arange(start, min(start + 2**18, 2 ** len(entries)))
            bits = (numbers[:, None] >> np.arange(len(entries)) & 1).astype(np.int8)
            rows = np.zeros((len(bits), len(self.num_choices)), dtype=np.int8)
            rows[:, entries] = bits
            rows = rows[bits.sum(axis=1) <= self.max_edges]
            rows = rows[self.used(self.adjacency(rows)).sum(axis=1) == count + 2]
            found.append(np.unique(self.canonicalise(rows), axis=0))
        rows = np.unique(np.concatenate(found), axis=0)
        numbers = rows[:, : len(self.pairs)].astype(np.int64) @ (1 << np.arange(len(self.pairs)))
        return rows[np.argsort(numbers)]

    @cached_property
    def size(self) -> int:
        """How many rows are valid, pruned or not."""
        numbers = np.arange(2 ** len(self.pairs), dtype=np.int32)
        read_by = [numbers >> vertex * (vertex - 1) // 2 & 2**vertex - 1 for vertex in range(self.vertices)]
        fed, read = np.ones_like(numbers), np.full_like(numbers, 1 << self.vertices - 1)
        for vertex in range(1, self.vertices):
            fed |= (read_by[vertex] & fed > 0).astype(np.int32) << vertex
        for vertex in reversed(range(1, self.vertices)):
            read |= np.where(read >> vertex & 1, read_by[vertex], 0)
        used = fed & read
        edges = np.zeros(len(numbers), dtype=np.int64)
        for vertex in range(1, self.vertices):
            edges += np.where(used >> vertex & 1, np.bitwise_count(read_by[vertex] & used), 0)
        return int(((edges > 0) & (edges <= self.max_edges)).sum()) * int(self.operations**self.inner)


@cache
def vertex_cells(vertices: int, max_edges: int, operations: int) -> VertexCells:
    """The cells of this kind; made once per process."""
    return VertexCells(vertices, max_edges, operations)
