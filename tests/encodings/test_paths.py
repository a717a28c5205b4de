from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archatlas.encodings.paths import Paths, path_numbers, paths, reversed_graphs
from archatlas.graphs.architecture_graphs import ArchitectureGraphs

Edges = list[tuple[int, int]]

NODES = 6
PAIRS = [(i, j) for i in range(NODES) for j in range(i + 1, NODES)]
DIAMOND: Edges = [(0, 1), (0, 2), (1, 3), (2, 3)]
CHAIN: Edges = [(0, 1), (1, 2), (2, 3)]


def graphs_of(*edges: Edges, nodes: int) -> ArchitectureGraphs:
    adjacency = np.zeros((len(edges), nodes, nodes), dtype=np.bool_)
    for graph, of_graph in enumerate(edges):
        for start, end in of_graph:
            adjacency[graph, start, end] = True
    mask = np.ones((len(edges), nodes), dtype=np.bool_)
    return ArchitectureGraphs(np.zeros((len(edges), nodes, 1), dtype=np.float32), adjacency, mask)


def diamonds(count: int) -> Edges:
    """One diamond after the other: two to the power of ``count`` paths over ``3 count + 1`` nodes."""
    return [(3 * i + start, 3 * i + end) for i in range(count) for start, end in DIAMOND]


def written_out(edges: Edges, node: int, last: int) -> list[list[int]]:
    """Every path from ``node`` to ``last``, one by one."""
    if node == last:
        return [[last]]
    return [[node, *rest] for start, end in edges if start == node for rest in written_out(edges, end, last)]


def listed(found: Paths, graph: int) -> list[list[int]]:
    return [[node for node in row if node >= 0] for row in found.nodes[found.graph == graph].tolist()]


def dag(bits: int, order: list[int]) -> Edges:
    """An acyclic graph of six nodes whose inner nodes are numbered in any order."""
    place = [0, *order, NODES - 1]
    return [(place[i], place[j]) for number, (i, j) in enumerate(PAIRS) if bits >> number & 1]


random_dags = st.builds(dag, st.integers(0, 2 ** len(PAIRS) - 1), st.permutations(range(1, NODES - 1)))


def test_paths_of_a_diamond_and_a_chain() -> None:
    found = paths(graphs_of(DIAMOND, CHAIN, nodes=4))
    assert found.graph.tolist() == [0, 0, 1]
    assert found.nodes.tolist() == [[0, 1, 3, -1], [0, 2, 3, -1], [0, 1, 2, 3]]
    assert found.lengths.tolist() == [1, 1, 2]


def test_path_numbers_of_a_diamond_with_a_shortcut() -> None:
    number, shortest, longest = path_numbers(graphs_of([*DIAMOND, (0, 3)], nodes=5))
    assert number.tolist() == [[1, 1, 1, 3, 0]]
    assert shortest.tolist() == [[0, 1, 1, 1, -1]]
    assert longest.tolist() == [[0, 1, 1, 2, -1]]


def test_dead_ends_are_on_no_path() -> None:
    # Node 1 leads nowhere and node 2 is fed by nothing.
    found = paths(graphs_of([(0, 1), (2, 3), (0, 3)], nodes=4))
    assert listed(found, 0) == [[0, 3]]


def test_words_leave_out_silent_nodes_and_keep_the_order() -> None:
    graphs = graphs_of(CHAIN, CHAIN, CHAIN, DIAMOND, nodes=4)
    labels = np.array([[9, 5, 6, 8], [9, 6, 5, 8], [9, 5, 7, 8], [9, 5, 7, 8]])
    word = paths(graphs).words(labels, labels == 7)
    assert len(np.unique(word)) == 4
    # The third chain and one side of the diamond read 9, 5, 8; the other side reads 9, 8.
    assert word[2] == word[3]


def test_counts_of_kinds_on_paths() -> None:
    found = paths(graphs_of(DIAMOND, CHAIN, nodes=4))
    kinds = np.array([[-1, 0, 1, -1], [-1, 1, 1, -1]])
    assert found.counts(kinds, 2).tolist() == [[1, 0], [0, 1], [0, 2]]
    assert found.counts(kinds, 0).shape == (3, 0)


def test_turned_graphs_have_the_turned_paths() -> None:
    graphs = graphs_of([(0, 1), (1, 3), (0, 3), (1, 2)], nodes=4)
    turned = reversed_graphs(graphs)
    assert np.argwhere(turned.adjacency[0]).tolist() == [[0, 2], [0, 3], [1, 2], [2, 3]]
    assert listed(paths(turned), 0) == [[0, 3], [0, 2, 3]]


@pytest.mark.parametrize("count", [0, 1])
def test_none_and_one(count: int) -> None:
    graphs = graphs_of(DIAMOND, nodes=4)[:count]
    found = paths(graphs)
    assert len(found.graph) == len(found.nodes) == len(found.lengths) == 2 * count
    assert found.words(np.zeros((count, 4), np.int64), np.zeros((count, 4), np.bool_)).shape == (2 * count,)
    assert [of_nodes.shape for of_nodes in path_numbers(graphs)] == [(count, 4)] * 3


def test_graphs_without_edges_have_no_paths() -> None:
    found = paths(graphs_of([], [(0, 1)], nodes=3))
    assert len(found.graph) == 0
    assert len(found.lengths) == 0


def test_too_many_paths_are_counted_but_not_written_out() -> None:
    # Two to the power of 40 paths: written out they would fill any memory.
    graphs = graphs_of(diamonds(40), [(0, 120)], nodes=121)
    number, shortest, longest = path_numbers(graphs)
    assert number[:, -1].tolist() == [2**40, 1]
    assert (shortest[:, -1].tolist(), longest[:, -1].tolist()) == ([80, 1], [80, 1])
    assert paths(graphs).graph.tolist() == [1]


def test_most_is_the_last_number_that_is_written_out() -> None:
    graphs = graphs_of(diamonds(3), nodes=10)
    assert len(paths(graphs, most=8).graph) == 8
    assert len(paths(graphs, most=7).graph) == 0


@settings(max_examples=60)
@given(st.lists(random_dags, min_size=1, max_size=4))
def test_as_written_out_one_by_one(edges: list[Edges]) -> None:
    graphs = graphs_of(*edges, nodes=NODES)
    found, (number, shortest, longest) = paths(graphs), path_numbers(graphs)
    assert (np.diff(found.graph) >= 0).all()
    for graph, of_graph in enumerate(edges):
        assert sorted(listed(found, graph)) == sorted(written_out(of_graph, 0, NODES - 1))
        for node in range(NODES):
            lengths = [len(path) - 1 for path in written_out(of_graph, 0, node)]
            assert number[graph, node] == len(lengths)
            assert shortest[graph, node] == min(lengths, default=-1)
            assert longest[graph, node] == max(lengths, default=-1)


@settings(max_examples=40)
@given(random_dags, random_dags, st.lists(st.integers(0, 2), min_size=2 * NODES, max_size=2 * NODES))
def test_words_are_equal_just_where_the_labels_are(one: Edges, other: Edges, drawn: list[int]) -> None:
    labels = np.array(drawn).reshape(2, NODES)
    found = paths(graphs_of(one, other, nodes=NODES))
    read = [
        tuple(int(labels[graph, node]) for node in nodes if node >= 0 and labels[graph, node] != 1)
        for graph, nodes in zip(found.graph.tolist(), found.nodes.tolist(), strict=True)
    ]
    words = found.words(labels, labels == 1).tolist()
    assert len(set(words)) == len(set(read)) == len(set(zip(words, read, strict=True)))
