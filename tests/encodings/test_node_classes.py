from __future__ import annotations

import numpy as np

from archatlas.encodings.node_classes import WeightedSums, node_classes
from archatlas.graphs.architecture_graphs import ArchitectureGraphs
from archatlas.spaces.presets import preset


def dense(sums: WeightedSums, columns: int) -> np.ndarray:
    matrix = np.zeros((len(sums.offsets), columns))
    rows = np.searchsorted(sums.offsets, np.arange(len(sums.members)), side="right") - 1
    np.add.at(matrix, (rows, sums.members), sums.weights)
    return matrix


def test_classes_of_a_chain_of_three_by_hand() -> None:
    features = np.array([[[1, 0], [0, 1], [0, 1]]], dtype=np.float32)
    adjacency = np.zeros((1, 3, 3), dtype=np.bool_)
    adjacency[0, 0, 1] = adjacency[0, 1, 2] = True
    classes = node_classes(ArchitectureGraphs(features, adjacency, np.ones((1, 3), dtype=np.bool_)), depth=1)
    np.testing.assert_array_equal(classes.features, [[1, 0], [0, 1]])  # two kinds of node
    # Three nodes of round 1: the first averages itself (class 0) and its successor (class 1), and so on.
    np.testing.assert_array_equal(dense(classes.along[0], 2), [[0.5, 0.5], [0, 1], [0, 1]])
    np.testing.assert_array_equal(dense(classes.against[0], 2), [[1, 0], [0.5, 0.5], [0, 1]])
    np.testing.assert_array_equal(dense(classes.members, 3), [[1, 1, 1]])
    np.testing.assert_array_equal(classes.sizes, [3])


def test_graphs_of_one_space_share_classes() -> None:
    space = preset("digits", (1, 8, 8), 10)
    graphs = space.graphs(space.sample(500, np.random.default_rng(0)))
    classes = node_classes(graphs, depth=1)
    assert len(classes.along[0].offsets) < graphs.mask.sum() / 5
    assert len(classes.members.members) == graphs.mask.sum()
