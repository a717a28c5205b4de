"""Chains by hand."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest

from archatlas.costs.counting import count_parts
from archatlas.costs.table import costs_of
from archatlas.errors import ArchatlasError
from archatlas.spaces.chain import ChainSpace
from archatlas.spaces.chain_parameters import ChainParameters
from archatlas.spaces.chain_parts import Operation, Stage
from archatlas.spaces.parameters import StageParameters
from archatlas.spaces.presets import make_space, preset


def operations(*names: str) -> tuple[Operation, ...]:
    return tuple(Operation.parse(name) for name in names)


def three_nodes() -> ChainSpace:
    """4 x 4 grey images, a stem of 2 channels, one position, 2 classes: input, block, output."""
    return ChainSpace("three", (1, 4, 4), 2, 2, (Stage(2, 1, 1),), operations("k3e1", "skip"))


def test_costs_of_three_nodes_by_hand():
    stem = 16 * 2 * 1 * 9
    block = 16 * 2 * 9 + 16 * 2 * 2
    head = 2 * 2
    stem_params, block_params, head_params = 18 + 4, 18 + 4 + 4 + 4, 4 + 2
    table = count_parts(three_nodes())
    assert table[["part", "position", "choice", "operation", "macs", "params"]].to_numpy().tolist() == [
        ["stem", -1, 0, "stem", stem, stem_params],
        ["block", 0, 0, "k3e1", block, block_params],
        ["block", 0, 1, "skip", 0, 0],
        ["head", 1, 0, "head", head, head_params],
    ]
    costs = costs_of(three_nodes(), np.array([[0], [1]], dtype=np.int8))
    assert costs["macs"].tolist() == [644, 292]
    assert costs["params"].tolist() == [58, 28]


def test_graphs_of_three_nodes_by_hand():
    space = three_nodes()
    graphs = space.graphs(np.array([[0], [1]], dtype=np.int8))
    with_block, without = graphs.adjacency.astype(int).tolist()
    assert with_block == [[0, 1, 0], [0, 0, 1], [0, 0, 0]]
    assert without == [[0, 0, 1], [0, 0, 0], [0, 0, 0]]
    assert graphs.mask.tolist() == [[True, True, True], [True, False, True]]
    block = dict(zip(space.graph_features, graphs.features[0, 1].tolist(), strict=True))
    by_hand = {
        "input": 0, "output": 0, "operation_k3e1": 1, "operation_skip": 0, "stage_0": 1, "kernel": 3 / 7,
        "expansion": 1 / 6, "stride": 0, "in_width": 1, "out_width": 1, "resolution": 1,
        "log_macs": math.log10(353) / 8,
    }  # fmt: skip
    assert block == pytest.approx(by_hand)


def test_sizes_of_presets():
    sizes = {
        name: (space.size, space.networks)
        for name in ("digits", "nas_bench_macro")
        for space in [preset(name, (3, 32, 32), 10)]
    }
    # Four positions of the stem's shape, then one that changes it and one that keeps it; six blocks, and skip.
    assert sizes == {
        "digits": (7**4 * 6 * 7, (1 + 6 + 36 + 216 + 1296) * 6 * (1 + 6)),
        "nas_bench_macro": (6561, 3969),
    }
    assert sizes["digits"] == (100_842, 65_310)
    mobile = preset("mobile", (3, 224, 224), 1000)
    assert len(mobile.num_choices) == 21
    assert mobile.size == 6**6 * 7**15
    assert mobile.networks == 6**6 * (1 + 6 + 36 + 216) ** 5


def test_twins_move_identities_within_a_run_only():
    space = preset("nas_bench_macro", (3, 32, 32), 10)
    # Positions 0, 2 and 5 change the shape: a 0 there is a projection and stays.
    assert space.names(space.canonicalise(space.parse(["00001001", "02012100"]))).tolist() == ["00010010", "02012100"]
    twins = sorted(space.names(space.twins(space.parse(["00101201"])[0])).tolist())
    assert twins == ["00101201", "00101210", "00110201", "00110210"]


def test_parameters_change_the_preset():
    parameters = ChainParameters(
        preset="nas_bench_macro",
        stages=(StageParameters(width=8, depth=2, stride=2), StageParameters(width=16, depth=1)),
        choices=("k3e1", "skip"),
        head_width=0,
    )
    space = make_space(parameters, (3, 16, 16), 4)
    assert space.num_choices == (2, 2, 2)
    assert space.names(space.enumerate_networks(0, 1)).tolist() == ["k3e1-skip_k3e1"]
    assert space.networks == 2 * 2 * 2


@pytest.mark.parametrize(
    ("names", "message"),
    [(("k4e1",), "kernels must be odd"), (("skip",), "at least one block"), (("k3e1", "k3e1"), "must differ")],
)
def test_impossible_choices_are_refused(names, message):
    with pytest.raises(ArchatlasError, match=message):
        make_space(ChainParameters(choices=names), (1, 8, 8), 10)


def deep(depth: int, stages: int = 1, blocks: int = 8) -> ChainSpace:
    kinds = [f"k{kernel}e{expansion}" for kernel in (3, 5, 7) for expansion in (1, 2, 3)][:blocks]
    return ChainSpace(
        "deep", (1, 8, 8), 3, 4, (Stage(4, depth, 1),) * stages, tuple(map(Operation.parse, [*kinds, "skip"]))
    )


@pytest.mark.parametrize("row", [[0, 2, 2, 1], [2, 2, 2, 2], [0, 1, 0, 1], [2, 0, 2, 2]])
def test_spellings_are_numbered_as_combinations_list_them(row: list[int]) -> None:
    space = deep(4, blocks=2)
    kept = [choice for choice in row if choice != 2]
    expected = []
    for places in combinations(range(4), len(kept)):
        way = np.full(4, 2)
        way[list(places)] = kept
        expected.append(way.tolist())
    assert space.twins(row).tolist() == expected
    drawn = space.draw_twins(row, 3, np.random.default_rng(0)).tolist()
    assert len(drawn) == len({tuple(one) for one in drawn}) == min(3, len(expected))
    assert all(one in expected for one in drawn)


def test_a_few_of_many_spellings_are_drawn_without_listing_the_others() -> None:
    space = deep(20, stages=10)
    row = space.canonicalise(np.tile(np.array([[0, 8]], dtype=np.int8), (1, 100)))
    twins = space.draw_twins(row[0], 5, np.random.default_rng(1))
    assert len(np.unique(twins, axis=0)) == 5
    assert (space.canonicalise(twins) == row).all()


def test_a_run_of_more_networks_than_64_bits_count_is_drawn_from_uniformly() -> None:
    space = deep(24)
    assert space.networks > 2**63
    rows = space.sample(4000, np.random.default_rng(0))
    assert (space.canonicalise(rows) == rows).all()
    assert (space.validate(rows) == rows).all()
    # With 8 blocks a run of full depth is 7/8 of all, one shorter by one 7/64.
    skips = (rows == 8).sum(axis=1)
    assert abs((skips == 0).mean() - 7 / 8) < 0.03
    assert abs((skips == 1).mean() - 7 / 64) < 0.03
    assert np.bincount(rows[:, 0], minlength=8).min() > 400
