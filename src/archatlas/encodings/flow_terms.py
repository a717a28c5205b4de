"""Graphs as functions of what flows into them: terms, each of which is computed once for all graphs that hold it.

A network that sends a state from the input to the output gives a node a state that depends only on the term above it:
on what the node is, and on the states that it reads. Cells of one space are made of a few operations and share most of
their terms. The 5,425 networks of NAS-Bench-201 have 40,291 nodes and 5,680 terms. Chains share their prefixes.

Both directions stand side by side: a second copy of the graphs is reversed, and has operations of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from archatlas.encodings.node_classes import WeightedSums
from archatlas.encodings.operation_columns import OperationColumns
from archatlas.encodings.paths import reversed_graphs
from archatlas.encodings.weisfeiler_lehman import node_labels
from archatlas.graphs.architecture_graphs import ArchitectureGraphs
from archatlas.graphs.hashing import mix

Integers = NDArray[np.int64]

_START, _IDENTITY, _FIRST_MAP = 0, 2, 3
"""Kinds of nodes: the starts of the two directions, identities, and then the maps."""


@dataclass(frozen=True)
class FlowLevel:
    """Terms that read only terms before them: first the identities, then as many rows for each map that occurs.

    Attributes:
        sums: the sum of what each term reads, over the rows of all levels before; rows that fill a map up read nothing
        identities: how many rows are identities
        maps: int64 ``[m]``, ascending, which maps occur: ``direction * maps of a direction + operation``
        conditions: float32 ``[m, k, c]``
    """

    sums: WeightedSums
    identities: int
    maps: Integers
    conditions: NDArray[np.float32]


@dataclass(frozen=True)
class FlowTerms:
    """All terms of ``n`` graphs: rows 0 and 1 are the starts of the two directions, and the levels follow.

    Attributes:
        levels: in the order in which they can be computed
        roots: int64 ``[n, 2]``, the rows of each graph's output, and of its input in the reversed graph
    """

    levels: tuple[FlowLevel, ...]
    roots: Integers


def flow_terms(graphs: ArchitectureGraphs, columns: OperationColumns) -> FlowTerms:
    """Terms of both directions. Nodes must be in topological order, as those of all spaces are.

    Node 0 is the start whatever its features are; the last node, operations called skip or identity, and nodes of no
    operation that has a name pass on the sum of what they read.
    """
    if np.tril(graphs.adjacency).any():
        raise ValueError("nodes must be in topological order: every edge from a node to a later one")
    both = _two_directions(graphs, columns)
    kinds = both.features[:, :, 0].astype(np.int64)
    graph, node = np.nonzero(both.mask)
    labels, levels = _labels_and_levels(both)
    of_node, distinct = pd.factorize(labels[graph, node])
    example = np.zeros(len(distinct), dtype=np.int64)
    example[of_node[::-1]] = np.arange(len(graph))[::-1]
    order = np.lexsort((kinds[graph, node][example], levels[graph, node][example]))
    example = example[order]
    graphs_of, nodes_of = graph[example], node[example]
    kinds_of, levels_of = kinds[graphs_of, nodes_of], levels[graphs_of, nodes_of]
    rows, starts = _rows(kinds_of, levels_of)
    row_of_term = np.empty(len(order), dtype=np.int64)
    row_of_term[order] = rows
    place = np.full(both.mask.shape, -1, dtype=np.int64)
    place[graph, node] = row_of_term[of_node]
    made = []
    for level in range(1, len(starts) - 1):
        here = np.flatnonzero(levels_of == level)
        read = both.adjacency[graphs_of[here], :, nodes_of[here]]
        reader, source = np.nonzero(read)
        degrees = np.zeros(starts[level + 1] - starts[level], dtype=np.int64)
        degrees[rows[here] - starts[level]] = read.sum(axis=1)
        members = place[graphs_of[here][reader], source]
        sums = WeightedSums(members, np.ones(len(members), dtype=np.float32), np.cumsum(degrees) - degrees)
        mapped = here[kinds_of[here] >= _FIRST_MAP]
        identities = len(here) - len(mapped)
        conditions = np.zeros((len(degrees), len(columns.conditions)), dtype=np.float32)
        conditions[rows[mapped] - starts[level]] = both.features[graphs_of[mapped], nodes_of[mapped], 1:]
        maps = np.unique(kinds_of[mapped])
        shape = len(maps), (len(degrees) - identities) // max(len(maps), 1), len(columns.conditions)
        made.append(FlowLevel(sums, identities, maps - _FIRST_MAP, conditions[identities:].reshape(shape)))
    return FlowTerms(tuple(made), np.stack(np.split(place[:, -1], 2), axis=1))


def _two_directions(graphs: ArchitectureGraphs, columns: OperationColumns) -> ArchitectureGraphs:
    """The graphs and the reversed graphs, ``2 n``; features are a node's kind and, of maps alone, its conditions."""
    sides = []
    for direction, side in enumerate((graphs, reversed_graphs(graphs))):
        kinds = _FIRST_MAP + direction * columns.maps + np.zeros(side.mask.shape, dtype=np.int64)
        if columns.operations:
            marks = side.features[:, :, list(columns.operations)] > 0
            operation = marks.argmax(axis=2)
            silent = ~marks.any(axis=2) | np.array(columns.identities)[operation]
            kinds = np.where(silent, _IDENTITY, kinds + operation)
        kinds[:, -1] = _IDENTITY
        kinds[:, 0] = _START + direction
        conditions = side.features[:, :, list(columns.conditions)] * (kinds >= _FIRST_MAP)[:, :, None]
        features = np.concatenate([kinds[:, :, None], conditions], axis=2).astype(np.float32)
        sides.append(ArchitectureGraphs(features, side.adjacency, side.mask))
    return ArchitectureGraphs(
        *(np.concatenate([getattr(side, name) for side in sides]) for name in ("features", "adjacency", "mask"))
    )


def _labels_and_levels(graphs: ArchitectureGraphs) -> tuple[NDArray[np.uint64], Integers]:
    """Hashes of the terms above the nodes, and the longest way from a start, both ``[n, v]``; only starts have 0."""
    own = node_labels(graphs).view(np.uint64)
    labels, sent = np.zeros_like(own), np.zeros_like(own)
    levels = np.zeros(own.shape, dtype=np.int64)
    for node in range(own.shape[1]):
        read = graphs.adjacency[:, :node, node]
        total = np.where(read, sent[:, :node], np.uint64(0)).sum(axis=1, dtype=np.uint64)
        labels[:, node] = mix(own[:, node] + np.uint64(3) * mix(total))
        sent[:, node] = mix(labels[:, node])
        if node:
            levels[:, node] = 1 + np.where(read, levels[:, :node], 0).max(axis=1)
    return labels, levels


def _rows(kinds: Integers, levels: Integers) -> tuple[Integers, Integers]:
    """The row of each term, sorted by level and kind, ``[t]``, and where each level begins, ``[levels + 2]``.

    Rows 0 and 1 are the starts, there or not.
    """
    rows = kinds.copy()
    starts = [0, 2]
    for level in range(1, levels.max(initial=0) + 1):
        here = np.flatnonzero(levels == level)
        found, group, counts = np.unique(kinds[here], return_inverse=True, return_counts=True)
        within = np.arange(len(here)) - (np.cumsum(counts) - counts)[group]
        identities = counts[found < _FIRST_MAP].sum()
        longest = counts[found >= _FIRST_MAP].max(initial=0)
        number = group - np.count_nonzero(found < _FIRST_MAP)
        rows[here] = starts[-1] + within + np.where(number < 0, 0, identities + number * longest)
        starts.append(starts[-1] + int(identities + longest * np.count_nonzero(found >= _FIRST_MAP)))
    return rows, np.array(starts)
