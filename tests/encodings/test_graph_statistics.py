from __future__ import annotations

import math
from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from archatlas.encodings.graph_statistics import (
    degrees,
    depths,
    edge_labels,
    letter_sets,
    node_sums,
    path_statistics,
    path_totals,
)
from archatlas.encodings.paths import paths
from archatlas.encodings.weisfeiler_lehman import node_labels
from archatlas.graphs.architecture_graphs import ArchitectureGraphs

Edges = list[tuple[int, int]]

NODES, LETTERS = 6, 3
PAIRS = [(i, j) for i in range(NODES) for j in range(i + 1, NODES)]
DIAMOND: Edges = [(0, 1), (0, 2), (1, 3), (2, 3)]


def graph_of(edges: Edges, letters: list[int]) -> ArchitectureGraphs:
    """One graph with one-hot letters of ``LETTERS`` kinds as features; -1: none."""
    nodes = len(letters)
    features = np.zeros((1, nodes, LETTERS), dtype=np.float32)
    adjacency = np.zeros((1, nodes, nodes), dtype=np.bool_)
    for node, letter in enumerate(letters):
        if letter >= 0:
            features[0, node, letter] = 1
    for start, end in edges:
        adjacency[0, start, end] = True
    return ArchitectureGraphs(features, adjacency, np.ones((1, nodes), dtype=np.bool_))


def written_out(edges: Edges, node: int, last: int) -> list[list[int]]:
    """Every path from ``node`` to ``last``, one by one."""
    if node == last:
        return [[last]]
    return [[node, *rest] for start, end in edges if start == node for rest in written_out(edges, end, last)]


def test_edges_are_told_apart_by_both_ends_and_their_direction() -> None:
    # a -> b -> a -> b, and a shortcut a -> b.
    graphs = graph_of([(0, 1), (1, 2), (2, 3), (0, 3)], [0, 1, 0, 1])
    graph, labels = edge_labels(graphs, node_labels(graphs))
    assert graph.tolist() == [0, 0, 0, 0]
    forth, shortcut, back, again = labels.tolist()  # by source, then target
    assert forth == shortcut == again != back


def test_sums_of_features_and_of_their_products() -> None:
    features = np.array([[[1, 2], [3, 0], [0, 5]]], dtype=np.float32)
    graphs = ArchitectureGraphs(features, np.zeros((1, 3, 3), np.bool_), np.ones((1, 3), np.bool_))
    assert node_sums(graphs).tolist() == [[4, 7, 10, 2, 29]]


def test_depths_are_the_longest_ways_from_the_input_and_to_the_output() -> None:
    # 0 -> 1 -> 2 -> 4 and 0 -> 3 -> 4; letter 2 is on node 2, letter 1 on node 3.
    graphs = graph_of([(0, 1), (1, 2), (2, 4), (0, 3), (3, 4)], [-1, 0, 2, 1, -1])
    assert depths(graphs).tolist() == [[1, 1, 2, 2, 1, 1]]


def test_degrees() -> None:
    graphs = graph_of([*DIAMOND, (0, 3)], [0, 1, 1, 2])
    # 4 nodes, 5 edges; edges into nodes with each letter; edges out of them.
    assert degrees(graphs).tolist() == [[4, 5, 0, 2, 3, 3, 2, 0]]


def test_totals_of_paths() -> None:
    diamond = path_totals(graph_of([*DIAMOND, (0, 3)], [0, 0, 0, 0]))
    np.testing.assert_array_equal(diamond, [[np.log1p(3), 1, 2]])
    assert path_totals(graph_of([(0, 1)], [0, 0, 0])).tolist() == [[0, -1, -1]]


def test_sets_of_letters() -> None:
    assert letter_sets(0).shape == (0, 0)
    three = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 0, 1], [0, 1, 1], [1, 1, 1]]
    assert letter_sets(3).astype(int).tolist() == three
    assert len(letter_sets(5)) == 31
    assert letter_sets(7).sum(axis=1).tolist() == [1] * 7 + [2] * 21 + [7]


def test_statistics_of_a_diamond() -> None:
    # One path over letters 0, 1, one over letter 0.
    graphs = graph_of([(0, 1), (1, 2), (2, 4), (0, 3), (3, 4)], [-1, 0, 1, 0, -1])
    of_diamond = path_statistics(paths(graphs), np.array([[-1, 0, 1, 0, -1]]), 2)
    # Sets: {0}, {1}, {0, 1}.
    assert of_diamond["most"].tolist() == [[1, 1, 2]]
    assert of_diamond["fewest"].tolist() == [[1, 0, 1]]
    assert of_diamond["mean"].tolist() == [[1, 0.5, 1.5]]
    sums = [2 * math.exp(-2), 1 + math.exp(-2), math.exp(-2) + math.exp(-4)]
    np.testing.assert_allclose(of_diamond["soft"], [np.log1p(sums)])
    assert of_diamond["within"].tolist() == [[0, 1, 0, 2]]
    # No path lacks letter 0; the one that lacks letter 1 has one letter 0.
    assert of_diamond["apart"].tolist() == [[0, 0, 0, 2, 1, 2]]


def test_graphs_without_paths_have_zeros() -> None:
    graphs = graph_of([(0, 1)], [0, 1, 2, 0])
    for group in path_statistics(paths(graphs), np.array([[0, 1, 2, 0]]), 3).values():
        assert group.shape[0] == 1
        assert not group.any()


def test_no_letters_and_no_graphs() -> None:
    graphs = graph_of(DIAMOND, [0, 1, 2, 0])
    none = path_statistics(paths(graphs), np.full((1, 4), -1), 0)
    assert {name: group.shape for name, group in none.items() if group.shape[1]} == {"within": (1, 1)}
    assert none["within"].tolist() == [[2]]
    empty = path_statistics(paths(graphs[:0]), np.zeros((0, 4), np.int64), 3)
    assert {name: group.shape for name, group in empty.items()} == {
        "most": (0, 7),
        "fewest": (0, 7),
        "mean": (0, 7),
        "soft": (0, 7),
        "within": (0, 8),
        "apart": (0, 21),
    }
    assert [len(of_graphs(graphs[:0])) for of_graphs in (node_sums, depths, degrees, path_totals)] == [0] * 4


@settings(max_examples=50)
@given(st.integers(0, 2 ** len(PAIRS) - 1), st.lists(st.integers(-1, 2), min_size=NODES, max_size=NODES))
def test_statistics_as_of_paths_one_by_one(bits: int, letters: list[int]) -> None:
    edges = [pair for number, pair in enumerate(PAIRS) if bits >> number & 1]
    words = [[letters[node] for node in path if letters[node] >= 0] for path in written_out(edges, 0, NODES - 1)]
    sets = [set(members) for size in (1, 2, 3) for members in combinations(range(LETTERS), size)]
    counts = [[sum(letter in chosen for letter in word) for word in words] for chosen in sets]
    expected = {
        "most": [max(row, default=0) for row in counts],
        "fewest": [min(row, default=0) for row in counts],
        "mean": [sum(row) / max(len(row), 1) for row in counts],
        "soft": [math.log(1 + sum(math.exp(-2 * c) for c in row)) for row in counts],
        "within": [sum(set(word) <= chosen for word in words) for chosen in [set(), *sets]],
        "apart": [
            max((1 + c for c, word in zip(row, words, strict=True) if letter not in word), default=0)
            for letter in range(LETTERS)
            for row in counts
        ],
    }
    found = path_statistics(paths(graph_of(edges, letters)), np.array([letters]), LETTERS)
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], [values], atol=1e-12, err_msg=name)


@settings(max_examples=30)
@given(
    st.integers(0, 2 ** len(PAIRS) - 1),
    st.permutations(range(1, NODES - 1)),
    st.lists(st.integers(-1, 2), min_size=NODES, max_size=NODES),
)
def test_nothing_depends_on_the_order_of_nodes(bits: int, order: list[int], letters: list[int]) -> None:
    edges = [pair for number, pair in enumerate(PAIRS) if bits >> number & 1]
    place = [0, *order, NODES - 1]
    moved = [letters[place.index(node)] for node in range(NODES)]
    one, other = graph_of(edges, letters), graph_of([(place[i], place[j]) for i, j in edges], moved)
    for of_graphs in (node_sums, depths, degrees, path_totals):
        np.testing.assert_array_equal(of_graphs(one), of_graphs(other))
    of_edges = [np.sort(edge_labels(graphs, node_labels(graphs))[1]) for graphs in (one, other)]
    np.testing.assert_array_equal(*of_edges)
    of_other = path_statistics(paths(other), np.array([moved]), LETTERS)
    for name, group in path_statistics(paths(one), np.array([letters]), LETTERS).items():
        np.testing.assert_allclose(group, of_other[name], atol=1e-12, err_msg=name)
