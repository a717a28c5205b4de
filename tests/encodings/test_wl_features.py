"""Features by labels: by hand, against a plain reference, and what a kernel must be."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from archatlas.encodings.weisfeiler_lehman import wl_labels
from archatlas.encodings.wl_features import WLFeatures, joined, wl_kernel
from archatlas.graphs.architecture_graphs import ArchitectureGraphs
from archatlas.spaces.presets import preset

from ..vertex_spellings import sample_spellings
from .test_weisfeiler_lehman import graphs_of

SPACE = preset("nas_bench_101", (3, 32, 32), 10)


def drawn(count: int, seed: int = 0) -> ArchitectureGraphs:
    return SPACE.graphs(sample_spellings(SPACE, count, np.random.default_rng(seed)))


def test_a_kernel_by_hand() -> None:
    # a, b, b, c in a row; and a, then two b side by side, then c: see test_histograms_by_hand.
    graphs = graphs_of([[0, 1, 1, 2], [0, 1, 1, 2]], [[(0, 1), (1, 2), (2, 3)], [(0, 1), (0, 2), (1, 3), (2, 3)]])
    blocks = WLFeatures.find(graphs, 1).blocks(graphs)
    np.testing.assert_allclose(np.sort(blocks[0].toarray()[0]), np.array([1, 1, 2]) / 6**0.5)
    np.testing.assert_allclose(wl_kernel(blocks, blocks), [[1, 0.5], [0.5, 1]])


def test_it_is_the_mean_cosine_of_histograms() -> None:
    graphs = drawn(12)
    blocks = WLFeatures.find(graphs, 3).blocks(graphs)
    counters = [
        [Counter(row[mask].tolist()) for row, mask in zip(labels, graphs.mask, strict=True)]
        for labels in wl_labels(graphs, 3)
    ]
    for i, j in [(0, 1), (3, 7), (5, 5)]:
        cosines = []
        for rows in counters:
            one, other = rows[i], rows[j]
            lengths = [sum(count**2 for count in row.values()) for row in (one, other)]
            cosines.append(sum(one[label] * other[label] for label in one) / np.prod(lengths) ** 0.5)
        assert wl_kernel(blocks, blocks)[i, j] == pytest.approx(np.mean(cosines))


def test_labels_found_once_are_those_found_twice_to_the_bit() -> None:
    graphs = drawn(25)
    features, blocks = WLFeatures.find_in(graphs, 3)
    again = WLFeatures.find(graphs, 3)
    assert all(np.array_equal(one, other) for one, other in zip(features.labels, again.labels, strict=True))
    for one, other in zip(blocks, again.blocks(graphs), strict=True):
        np.testing.assert_array_equal(one.toarray(), other.toarray())
    whole = joined(blocks)
    np.testing.assert_allclose((whole @ whole.T).toarray(), wl_kernel(blocks, blocks), rtol=1e-12)


def test_labels_that_have_no_column_shorten_a_row_and_change_no_product() -> None:
    known, others = drawn(40), drawn(30, seed=1)
    features = WLFeatures.find(known, 3)
    every = WLFeatures.find(
        ArchitectureGraphs(
            *(
                np.concatenate([getattr(known, name), getattr(others, name)])
                for name in ("features", "adjacency", "mask")
            )
        ),
        3,
    )
    np.testing.assert_allclose(
        wl_kernel(features.blocks(others), features.blocks(known)), wl_kernel(every.blocks(others), every.blocks(known))
    )
    lengths = np.linalg.norm(features.blocks(others)[3].toarray(), axis=1)
    assert lengths.min() < 0.9
    assert lengths.max() <= 1 + 1e-12


def test_isomorphic_cells_are_one_and_the_kernel_is_one() -> None:
    graphs = drawn(60)
    blocks = WLFeatures.find(graphs, 3).blocks(graphs)
    values = wl_kernel(blocks, blocks)
    np.testing.assert_allclose(np.diag(values), 1)
    assert np.linalg.eigvalsh(values).min() > -1e-9
    same = SPACE.graphs(SPACE.canonicalise(sample_spellings(SPACE, 60, np.random.default_rng(0))))
    np.testing.assert_allclose(wl_kernel(WLFeatures.find(graphs, 3).blocks(same), blocks), values)


def test_a_state_is_read_back_and_padding_alone_has_no_labels() -> None:
    graphs = drawn(20)
    features = WLFeatures.find(graphs, 2)
    again = WLFeatures.from_state(features.state(), 2)
    for one, other in zip(again.blocks(graphs), features.blocks(graphs), strict=True):
        np.testing.assert_array_equal(one.toarray(), other.toarray())
    nothing = WLFeatures.find(graphs[:0], 2)
    assert [block.shape for block in nothing.blocks(graphs)] == [(20, 0)] * 3
