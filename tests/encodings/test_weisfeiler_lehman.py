from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archatlas.encodings import weisfeiler_lehman
from archatlas.encodings.node_kinds import kind_counts, node_kinds
from archatlas.encodings.weisfeiler_lehman import label_counts, vocabulary, wl_labels
from archatlas.graphs.architecture_graphs import ArchitectureGraphs
from archatlas.spaces.presets import preset


def graphs_of(operations: list[list[int]], edges: list[list[tuple[int, int]]]) -> ArchitectureGraphs:
    """Graphs with one-hot operations of three kinds; -1 is padding."""
    nodes = len(operations[0])
    features = np.zeros((len(operations), nodes, 3), dtype=np.float32)
    adjacency = np.zeros((len(operations), nodes, nodes), dtype=np.bool_)
    for graph, row in enumerate(operations):
        for node, operation in enumerate(row):
            if operation >= 0:
                features[graph, node, operation] = 1
        for start, end in edges[graph]:
            adjacency[graph, start, end] = True
    return ArchitectureGraphs(features, adjacency, np.array(operations) >= 0)


def test_histograms_by_hand() -> None:
    # a, b, b, c in a row; and a, then two b side by side, then c.
    graphs = graphs_of([[0, 1, 1, 2], [0, 1, 1, 2]], [[(0, 1), (1, 2), (2, 3)], [(0, 1), (0, 2), (1, 3), (2, 3)]])
    labels = wl_labels(graphs, 1)
    zero = label_counts(labels[0], graphs.mask, vocabulary(labels[0], graphs.mask))
    assert sorted(zero[0]) == [1, 1, 2]
    np.testing.assert_array_equal(zero[0], zero[1])
    # Round 1 tells apart: a with one or two b after it; b between (a, b), (b, c), (a, c); c after one or two b.
    known = vocabulary(labels[1], graphs.mask)
    assert len(known) == 7
    one = label_counts(labels[1], graphs.mask, known)
    assert sorted(one[0][one[0] > 0]) == [1, 1, 1, 1]
    assert sorted(one[1][one[1] > 0]) == [1, 1, 2]
    assert not (one[0] * one[1]).any()
    assert len(vocabulary(labels[1], graphs.mask, at_least=2)) == 1


def test_direction_of_edges_counts() -> None:
    graphs = graphs_of([[0, 1], [0, 1]], [[(0, 1)], [(1, 0)]])
    labels = wl_labels(graphs, 1)[1]
    assert not (labels[0] == labels[1]).any()


def test_padding_has_label_zero_and_unknown_labels_are_not_counted() -> None:
    graphs = graphs_of([[0, -1, 2], [0, 1, 2]], [[(0, 2)], [(0, 1), (1, 2)]])
    labels = wl_labels(graphs, 2)
    assert (labels[:, 0, 1] == 0).all()
    kinds = node_kinds(graphs[:1])
    np.testing.assert_array_equal(kind_counts(graphs, kinds).sum(axis=1), [2, 2])
    assert kind_counts(graphs, kinds[:0]).shape == (2, 0)


@settings(max_examples=25)
@given(st.permutations(range(5)), st.integers(0, 2**10 - 1))
def test_histograms_do_not_depend_on_the_order_of_nodes(order: list[int], bits: int) -> None:
    pairs = [(i, j) for i in range(5) for j in range(i + 1, 5)]
    edges = [pair for number, pair in enumerate(pairs) if bits >> number & 1]
    operations = [0, 1, 1, 2, 1]
    moved = [operations[node] for node in order]
    place = {node: spot for spot, node in enumerate(order)}
    graphs = graphs_of([operations, moved], [edges, [(place[i], place[j]) for i, j in edges]])
    for of_round in wl_labels(graphs, 3):
        assert sorted(of_round[0]) == sorted(of_round[1])


def test_kinds_of_a_chain_are_the_first_block_and_then_how_many() -> None:
    space = preset("nas_bench_macro", (3, 32, 32), 10)
    graphs = space.graphs(space.parse(["12121200", "12112200", "12121200"]))
    kinds = node_kinds(graphs)
    counts = kind_counts(graphs, kinds)
    assert counts.sum(axis=1).tolist() == [8, 8, 8]  # input, output, and 6 blocks: identities are no nodes
    np.testing.assert_array_equal(counts[0], counts[2])
    swapped = space.graphs(space.parse(["12112200", "12121200"]))  # within stage 2, after its first block
    by_swap = kind_counts(swapped, kinds)
    np.testing.assert_array_equal(by_swap[0], by_swap[1])


def test_labels_are_the_same_to_the_bit_however_many_graphs_are_labelled_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    space = preset("nas_bench_101", (3, 32, 32), 10)
    graphs = space.graphs(space.sample(23, np.random.default_rng(0)))
    whole = wl_labels(graphs, 3)
    assert whole.dtype == np.int64
    nodes = graphs.mask.shape[1]
    for pairs in (1, 5 * nodes**2, 23 * nodes**2):
        monkeypatch.setattr(weisfeiler_lehman, "_PAIRS_AT_ONCE", pairs)
        np.testing.assert_array_equal(wl_labels(graphs, 3), whole)
    assert wl_labels(graphs[:0], 2).shape == (3, 0, nodes)


@pytest.mark.parametrize("depth", [1, 2])
def test_labels_mean_the_same_in_every_batch(depth: int) -> None:
    space = preset("digits", (1, 8, 8), 10)
    choices = space.sample(40, np.random.default_rng(0))
    together = wl_labels(space.graphs(choices), depth)
    alone = wl_labels(space.graphs(choices[7:8]), depth)
    np.testing.assert_array_equal(together[:, 7:8], alone)
