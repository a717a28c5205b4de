"""Cells whose edges hold operations: every two nodes are joined, and each edge computes one of a few operations.

Node 0 is the cell's input, the last node its output, and a node is the sum of what its incoming edges compute
(NAS-Bench-201: Dong & Yang, ICLR 2020, section 2.1). Operation 0 is none, operation 1 skip, the others compute
something. Three notions of "the same cell", each coarser than the one before; of the 15,625 cells of NAS-Bench-201 they
leave

- **9,445 pruned cells** (``prune``): an operation that is on no path of operations from input to output is dead, and a
  dead operation is the same as none;
- **5,425 networks** (``canonical``): besides, a skip is the identity and nodes have no names, so what counts is which
  operation reads how often from which other. Weights belong to operations: a result that is read twice is not the same
  as two convolutions with weights of their own. Equal networks have equal parameters and MACs. This is what twins and
  canonical names mean;
- **4,930 formulas** (``formula_keys``): the unrolled formula of the output alone, in which a result that is read twice
  and two separate convolutions look alike. Cells of one formula may differ in parameters and in accuracy (by twice as
  much as twins do), but are near of kin: for splits that should leak nothing.

Two things are left as they are. An operation that is fed by nothing is taken for dead, although a convolution with
batch norm makes a constant of nothing. And average pooling is linear, so that pooling a sum is summing what is pooled:
381 of the 5,425 networks equal another one but for rounding, with other operations to run.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

from archatlas.graphs.hashing import Hashes, mix
from archatlas.spaces.protocol import Choices

NONE, SKIP = 0, 1
"""Indices of the two operations that compute nothing."""


@dataclass(frozen=True)
class EdgeCells:
    """All cells of ``nodes`` nodes with one of ``operations`` operations on each edge; small enough to be listed.

    ``input_skip_computes``: a skip of the cell's input is no identity but an operation like others, since some of the
    cells of a network change the shape (TransNAS-Bench-101).

    Edges are ordered by target, then by source: (0, 1), (0, 2), (1, 2), (0, 3), ... A cell is a choice row
    ``[edges]``, and has a number: its choices read as digits.
    """

    nodes: int
    operations: int
    input_skip_computes: bool = False

    @cached_property
    def edges(self) -> tuple[tuple[int, int], ...]:
        """Source and target node of each edge."""
        return tuple((source, target) for target in range(1, self.nodes) for source in range(target))

    @property
    def size(self) -> int:
        """How many cells there are."""
        return int(self.operations ** len(self.edges))

    @property
    def networks(self) -> int:
        """How many different networks they are."""
        return len(self.canonical)

    @cached_property
    def _weights(self) -> NDArray[np.int64]:
        return self.operations ** np.arange(len(self.edges) - 1, -1, -1, dtype=np.int64)

    def number(self, choices: Choices) -> NDArray[np.int64]:
        """The number of each cell, ``[n]``."""
        return choices.astype(np.int64) @ self._weights

    def numbered(self, numbers: NDArray[np.integer]) -> Choices:
        """The cells with these numbers, ``[n, edges]``."""
        return (numbers[:, None] // self._weights % self.operations).astype(np.int8)

    # -- What is computed ------------------------------------------------------------------------------------------

    def prune(self, choices: Choices) -> Choices:
        """The cells with none in the place of every operation that is on no path from the input to the output."""
        fed = np.zeros((len(choices), self.nodes), dtype=np.bool_)
        read = np.zeros_like(fed)
        fed[:, 0] = read[:, -1] = True
        joined = choices != NONE
        for edge, (source, target) in enumerate(self.edges):
            fed[:, target] |= joined[:, edge] & fed[:, source]
        for edge, (source, target) in reversed(list(enumerate(self.edges))):
            read[:, source] |= joined[:, edge] & read[:, target]
        sources, targets = np.array(self.edges).T
        return np.where(joined & fed[:, sources] & read[:, targets], choices, np.int8(NONE))

    def _computes(self, pruned: Choices) -> NDArray[np.bool_]:
        """Which live operations compute something, bool ``[n, edges]``."""
        projected = np.array([self.input_skip_computes and source == 0 for source, _ in self.edges])
        computes: NDArray[np.bool_] = (pruned > SKIP) | (pruned == SKIP) & projected
        return computes

    def flows(self, choices: Choices) -> NDArray[np.int64]:
        """How often each source flows into each reader, int64 ``[n, 1 + edges, edges + 1]``, carried through skips.

        Sources are the cell's input and then what each edge computes; readers are each edge's operation and then the
        cell's output. Dead operations and skips neither give nor read.
        """
        pruned = self.prune(choices)
        edges = len(self.edges)
        values = np.zeros((len(pruned), self.nodes, 1 + edges), dtype=np.int64)
        values[:, 0, 0] = 1
        flows = np.zeros((len(pruned), 1 + edges, edges + 1), dtype=np.int64)
        computes = self._computes(pruned)
        skips = (pruned != NONE) & ~computes
        for edge, (source, target) in enumerate(self.edges):
            values[:, target] += np.where(skips[:, edge, None], values[:, source], 0)
            values[:, target, 1 + edge] += computes[:, edge]
            flows[:, :, edge] = np.where(computes[:, edge, None], values[:, source], 0)
        flows[:, :, edges] = values[:, -1]
        return flows

    def formula_keys(self, choices: Choices) -> Hashes:
        """One number ``[n]`` for each formula of the output, with how often each term occurs."""
        return self._read_keys(self.prune(choices), self.flows(choices).astype(np.uint64))[:, -1]

    def _read_keys(self, pruned: Choices, flows: Hashes) -> Hashes:
        """What each operation computes from the input on and what the output sums, as keys ``[n, edges + 1]``."""
        labels = np.full(flows.shape[:2], mix(np.uint64(0)), dtype=np.uint64)
        sums = np.zeros((len(flows), flows.shape[2]), dtype=np.uint64)
        for reader in range(flows.shape[2]):  # Edges come after those that they read from.
            sums[:, reader] = (flows[:, :, reader] * labels).sum(axis=1)
            if reader < len(self.edges):
                labels[:, 1 + reader] = mix(pruned[:, reader].astype(np.uint64) + np.uint64(3) * mix(sums[:, reader]))
        return sums

    def network_keys(self, choices: Choices) -> Hashes:
        """One number ``[n]`` for each network: formulas, with every operation told from others that are like it.

        Weisfeiler-Lehman labels of the operations by what they read and by who reads them. On so small graphs that is
        exact; the tests compare it with all permutations.
        """
        pruned, flows = self.prune(choices), self.flows(choices).astype(np.uint64)
        read = self._read_keys(pruned, flows)
        computes = self._computes(pruned)
        labels = np.where(computes, mix(pruned.astype(np.uint64) + np.uint64(3) * mix(read[:, :-1])), 0)
        output = np.full((len(pruned), 1), mix(np.uint64(1)), dtype=np.uint64)
        for _ in self.edges:
            readers = np.concatenate([mix(labels), output], axis=1)
            sources = np.concatenate([output, mix(labels)], axis=1)
            above = np.einsum("nsr,nr->ns", flows, readers)[:, 1:]
            below = np.einsum("nsr,ns->nr", flows, sources)[:, :-1]
            labels = np.where(computes, mix(labels + np.uint64(3) * mix(above) + np.uint64(5) * mix(below)), 0)
        keys: Hashes = read[:, -1] + np.where(computes, mix(labels), 0).sum(axis=1, dtype=np.uint64)
        return keys

    # -- All of them -----------------------------------------------------------------------------------------------

    @cached_property
    def _listed(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Number of the canonical cell of each network, ascending; and for every cell its network's place therein."""
        numbers = np.arange(self.size)
        cells = self.numbered(numbers)
        _, network = np.unique(self.network_keys(cells), return_inverse=True)
        order = np.lexsort((numbers, (cells != NONE).sum(axis=1), network))
        first = order[np.flatnonzero(np.diff(network[order], prepend=-1))]
        ascending = np.argsort(first)
        place = np.empty(len(first), dtype=np.int64)
        place[ascending] = np.arange(len(first))
        return first[ascending], place[network]

    @property
    def canonical(self) -> NDArray[np.int64]:
        """Numbers of the canonical cells, ascending: the cell with the fewest operations, then the lowest number."""
        return self._listed[0]

    @property
    def network_of(self) -> NDArray[np.int64]:
        """For every cell, by its number, the place of its network in ``canonical``."""
        return self._listed[1]


@cache
def edge_cells(nodes: int, operations: int, input_skip_computes: bool = False) -> EdgeCells:
    """The cells of this kind; made once per process."""
    return EdgeCells(nodes, operations, input_skip_computes)
