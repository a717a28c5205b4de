"""Spaces of public tables, by hand."""

from __future__ import annotations

import numpy as np
from scipy.stats import chi2

from archatlas.spaces.tables.accel_nasbench import LAYERS, AccelNasBench
from archatlas.spaces.tables.block_chains import divisible
from archatlas.spaces.tables.once_for_all import OnceForAllMobileNetV3
from archatlas.spaces.tables.transnas_bench_101_micro import TransNasBench101Micro


def test_sizes() -> None:
    assert OnceForAllMobileNetV3().size == (9 * 9 * 10 * 10) ** 5
    assert OnceForAllMobileNetV3().networks == (9**2 + 9**3 + 9**4) ** 5
    assert AccelNasBench().size == AccelNasBench().networks == 36**6 * 48
    transnas = TransNasBench101Micro("transnas_bench_101_micro", (3, 256, 256), 47)
    assert (transnas.size, transnas.networks) == (4_096, 1_376)


def test_a_unit_of_once_for_all_as_a_chain() -> None:
    space = OnceForAllMobileNetV3()
    rest = "_".join(["k3e3-k3e3-none-none"] * 4)
    given = space.parse([f"k7e6-k5e4-none-k3e3_{rest}"])
    assert space.names(space.canonicalise(given)).tolist() == [f"k7e6-k5e4-k3e3-none_{rest}"]
    graphs = space.graphs(given)
    assert graphs.mask[0].sum() == 2 + 3 + 4 * 2
    first = dict(zip(space.graph_features, graphs.features[0, 1].tolist(), strict=True))
    assert {name: value for name, value in first.items() if value} == {
        "unit_0": 1.0,
        "first_in_unit": 1.0,
        "kernel": 1.0,
        "expansion": 1.0,
    }
    assert graphs.adjacency[0].sum() == graphs.mask[0].sum() - 1


def test_samples_of_once_for_all_are_uniform_over_networks() -> None:
    space = OnceForAllMobileNetV3()
    rows = space.sample(4000, np.random.default_rng(0)).reshape(-1, 5, 4)
    depths = np.bincount((rows < 9).sum(axis=2).ravel(), minlength=5)[2:]
    expected = 20_000 * np.array([9**2, 9**3, 9**4]) / (9**2 + 9**3 + 9**4)
    assert ((depths - expected) ** 2 / expected).sum() < chi2.ppf(0.999, 2)


def test_blocks_of_accel_nasbench_are_runs_of_layers() -> None:
    space = AccelNasBench()
    name = "_".join(["e6k5l3s1", *["e1k3l1s0"] * 6])
    graphs = space.graphs(space.parse([name]))
    assert graphs.features.shape[1] == sum(LAYERS) + 2
    assert graphs.mask[0].sum() == 2 + 3 + 6
    named = [dict(zip(space.graph_features, node.tolist(), strict=True)) for node in graphs.features[0, 1:4]]
    assert [node["first_in_block"] for node in named] == [1, 0, 0]
    assert all(
        node["kernel"] == node["expansion"] == node["squeeze_excitation"] == node["block_0"] == 1 for node in named
    )


def test_a_skip_of_the_input_is_no_identity_in_transnas() -> None:
    space = TransNasBench101Micro("transnas_bench_101_micro", (3, 256, 256), 47)
    # A 3x3 convolution after a skip of the input, and straight from it; a skip after it, and none.
    rows = space.parse(["64-41414-1_00_030", "64-41414-0_00_300", "64-41414-3_00_010"])
    names = space.names(space.canonicalise(rows))
    assert names[0] != names[1]
    assert names[1] == names[2]


def test_costs_of_a_network_by_hand() -> None:
    """The least network of Accel-NASBench: depthwise separable layers, one a block, at 32 pixels."""
    space = AccelNasBench(input_shape=(3, 32, 32), num_classes=10)
    costs = space.counted_costs(space.parse(["_".join(["e1k3l1s0"] * 7)]))
    widths, sides = (32, 16, 24, 40, 80, 112, 192, 320), (16, 8, 4, 2, 2, 1, 1)
    layers = list(zip(widths[:-1], widths[1:], sides, strict=True))
    macs = 27 * 32 * 16**2 + sum((9 * a + a * b) * side**2 for a, b, side in layers)
    assert costs["macs"] == macs + 320 * 1280 + 1280 * 10
    params = 27 * 32 + 64 + sum(9 * a + 2 * a + a * b + 2 * b for a, b, _ in layers)
    assert costs["params"] == params + 320 * 1280 + 2 * 1280 + 1280 * 10 + 10


def test_channels_are_rounded_as_mobilenets_are() -> None:
    assert [divisible(width) for width in (3, 8, 11, 12, 18, 19, 27.5, 28)] == [8, 8, 16, 16, 24, 24, 32, 32]
