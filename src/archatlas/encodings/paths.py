"""Paths from input to output of small graphs, for whole batches at once.

A path is read as a word: the labels of its nodes in order. Two graphs that share words compute things in common,
wherever in the graph they stand (White et al., AAAI 2021, arXiv 1910.11858, one-hot encode which paths a cell has; here
they are counted, and canonical graphs give each network one set of words).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from archatlas.encodings.weisfeiler_lehman import Labels
from archatlas.graphs.architecture_graphs import ArchitectureGraphs
from archatlas.graphs.hashing import mix

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MOST_PATHS = 256
"""Graphs with more paths than this are not written out path by path."""


@dataclass(frozen=True)
class Paths:
    """All ``m`` paths of a batch, ordered by graph.

    Shapes:
        graph: int64 ``[m]``, which graph each path belongs to
        nodes: int64 ``[m, l]``, its nodes from input to output, -1 after the end
    """

    graph: Integers
    nodes: Integers

    @property
    def lengths(self) -> Integers:
        """Nodes between input and output, ``[m]``."""
        lengths: Integers = (self.nodes >= 0).sum(axis=1) - 2
        return lengths

    def words(self, labels: Labels, silent: NDArray[np.bool_]) -> Labels:
        """A hash for each path, ``[m]``: equal where the labels along it are, leaving out silent nodes.

        Args:
            labels: of each node, ``[n, v]``
            silent: bool ``[n, v]``
        """
        word = np.zeros(len(self.graph), dtype=np.uint64)
        for node in self.nodes.T:
            read = (node >= 0) & ~silent[self.graph, node]
            letter = labels[self.graph, node].view(np.uint64)
            word = np.where(read, mix(np.uint64(3) * word + letter), word)
        return word.view(np.int64)

    def counts(self, kinds: Integers, number: int) -> Integers:
        """How often each of ``number`` kinds stands on each path, ``[m, number]``.

        Args:
            kinds: of each node, ``[n, v]``, -1: not counted
            number: how many kinds there are
        """
        found = np.where(self.nodes >= 0, kinds[self.graph[:, None], self.nodes], -1)
        return np.stack([(found == kind).sum(axis=1) for kind in range(number)], axis=1) if number else found[:, :0]


def reversed_graphs(graphs: ArchitectureGraphs) -> ArchitectureGraphs:
    """The graphs with every edge turned round and the nodes in opposite order: the output becomes the input."""
    return ArchitectureGraphs(
        graphs.features[:, ::-1], graphs.adjacency[:, ::-1, ::-1].transpose(0, 2, 1), graphs.mask[:, ::-1]
    )


def path_numbers(graphs: ArchitectureGraphs) -> tuple[Floats, Integers, Integers]:
    """Of each node ``[n, v]``: number of paths from the input, fewest and most edges on one; 0, -1, -1 without a path.

    Graphs are acyclic, with nodes in any order. Each round carries the paths one edge further.
    """
    count, slots = graphs.mask.shape
    edges = graphs.adjacency.astype(np.float64)
    reached = np.zeros((count, 1, slots))
    reached[:, 0, 0] = 1
    number = reached[:, 0].copy()
    shortest = np.where(number > 0, 0, -1)
    longest = shortest.copy()
    for length in range(1, slots):
        reached = reached @ edges
        here = reached[:, 0] > 0
        if not here.any():
            break
        number += reached[:, 0]
        shortest = np.where(here & (shortest < 0), length, shortest)
        longest = np.where(here, length, longest)
    return number, shortest, longest


def paths(graphs: ArchitectureGraphs, most: int = MOST_PATHS) -> Paths:
    """Every path from input to output; graphs with more than ``most`` have none here.

    Only what leads to the output is followed, so that there are never more beginnings of paths than paths.
    """
    last = graphs.mask.shape[1] - 1
    graph = np.flatnonzero(path_numbers(graphs)[0][:, last] <= most)
    edges = graphs.adjacency & _leads_to_output(graphs)[:, None, :]
    nodes = np.zeros((len(graph), 1), dtype=np.int64)
    finished: list[tuple[Integers, Integers]] = []
    while len(graph):
        row, following = np.nonzero(edges[graph, nodes[:, -1]])
        graph, nodes = graph[row], np.concatenate([nodes[row], following[:, None]], axis=1)
        ended = following == last
        finished.append((graph[ended], nodes[ended]))
        graph, nodes = graph[~ended], nodes[~ended]
    longest = finished[-1][1].shape[1] if finished else 1
    padded = [np.pad(part, ((0, 0), (0, longest - part.shape[1])), constant_values=-1) for _, part in finished]
    of_graph = np.concatenate([part for part, _ in finished] or [np.zeros(0, dtype=np.int64)])
    order = np.argsort(of_graph, kind="stable")
    return Paths(of_graph[order], np.concatenate([*padded, np.zeros((0, longest), dtype=np.int64)])[order])


def _leads_to_output(graphs: ArchitectureGraphs) -> NDArray[np.bool_]:
    """Nodes with a path to the output, bool ``[n, v]``."""
    leads = np.zeros(graphs.mask.shape, dtype=np.bool_)
    leads[:, -1] = True
    for _ in range(graphs.mask.shape[1]):
        more = leads | (graphs.adjacency & leads[:, None, :]).any(axis=2)
        if (more == leads).all():
            break
        leads = more
    return leads
