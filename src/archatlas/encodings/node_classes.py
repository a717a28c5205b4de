"""Nodes that a message-passing network of some depth cannot tell apart, gathered into classes.

What a graph convolution of depth r computes at a node depends on the node's Weisfeiler-Lehman label of round r alone.
The 8 * 10^3 nodes of a thousand chains share some tens of labels in round 0 and a few hundred in round 1, so a network
runs on classes instead of nodes: the arithmetic is the same, and done once per class. Graphs that share nothing lose
nothing but the time of hashing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from archatlas.encodings.weisfeiler_lehman import wl_labels
from archatlas.graphs.architecture_graphs import ArchitectureGraphs


@dataclass(frozen=True)
class WeightedSums:
    """A sparse matrix by rows: row i is the sum of ``weights * x[members]`` over ``offsets[i]`` to ``offsets[i + 1]``.

    Shapes:
        members: int64 ``[e]``
        weights: float32 ``[e]``
        offsets: int64 ``[rows]``, where each row begins
    """

    members: NDArray[np.int64]
    weights: NDArray[np.float32]
    offsets: NDArray[np.int64]


@dataclass(frozen=True)
class NodeClasses:
    """Node classes of rounds 0 to ``depth`` of ``n`` graphs, and how they are made of one another.

    Attributes:
        features: float32 ``[u_0, f]``, node features of the classes of round 0
        along: per layer, classes of round r as rows of row-normalised ``A + I`` over classes of round r - 1: a node
            averages itself and its successors
        against: the same with ``A^T``: itself and its predecessors
        members: graphs as sums of the classes of the last round, one entry of weight 1 per node
        sizes: float32 ``[n]``, how many nodes each graph has
    """

    features: NDArray[np.float32]
    along: tuple[WeightedSums, ...]
    against: tuple[WeightedSums, ...]
    members: WeightedSums
    sizes: NDArray[np.float32]


def node_classes(graphs: ArchitectureGraphs, depth: int) -> NodeClasses:
    """Classes of all nodes inside the mask, for a network of ``depth`` convolutions."""
    labels = wl_labels(graphs, depth)
    graph, node = np.nonzero(graphs.mask)
    place = np.zeros(graphs.mask.shape, dtype=np.int64)
    place[graph, node] = np.arange(len(graph))
    along: list[WeightedSums] = []
    against: list[WeightedSums] = []
    features = graphs.features[:0, 0]
    classes = np.zeros(0, dtype=np.int64)
    for layer in range(depth + 1):
        finer, distinct = pd.factorize(labels[layer][graph, node])
        finer = finer.astype(np.int64)
        example = np.zeros(len(distinct), dtype=np.int64)
        example[finer[::-1]] = np.arange(len(graph))[::-1]
        rows, columns = graph[example], node[example]
        if layer == 0:
            features = graphs.features[rows, columns]
        else:
            successors = graphs.adjacency[rows, columns]
            predecessors = graphs.adjacency[rows, :, columns]
            along.append(_averages(successors, rows, columns, classes, place))
            against.append(_averages(predecessors, rows, columns, classes, place))
        classes = finer
    sizes = graphs.mask.sum(axis=1)
    offsets = np.concatenate([[0], np.cumsum(sizes)[:-1]])[: len(sizes)].astype(np.int64)
    members = WeightedSums(classes, np.ones(len(classes), dtype=np.float32), offsets)
    return NodeClasses(features, tuple(along), tuple(against), members, sizes.astype(np.float32))


def _averages(
    neighbours: NDArray[np.bool_],
    graph: NDArray[np.int64],
    node: NDArray[np.int64],
    classes: NDArray[np.int64],
    place: NDArray[np.int64],
) -> WeightedSums:
    """Each example node as the average of itself and its ``neighbours [u, v]``, by their classes."""
    neighbours = neighbours.copy()
    neighbours[np.arange(len(node)), node] = True
    row, column = np.nonzero(neighbours)
    degree = neighbours.sum(axis=1)
    offsets = np.concatenate([[0], np.cumsum(degree)[:-1]])[: len(degree)].astype(np.int64)
    return WeightedSums(classes[place[graph[row], column]], (1 / degree[row]).astype(np.float32), offsets)
