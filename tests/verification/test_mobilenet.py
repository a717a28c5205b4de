from __future__ import annotations

import numpy as np
import pytest

from archatlas.costs.constraints import Constraint
from archatlas.networks.blocks import MBConv
from archatlas.networks.counting import count_module
from archatlas.spaces.chain import ChainSpace
from archatlas.spaces.chain_parts import Operation, Stage
from archatlas.spaces.scaled_chains import ScaledChains
from archatlas.supernet.strategies.extremes import extreme_paths
from archatlas.verification.mobilenet import mobilenet, scaled_mobilenet, scaled_mobilenets

SPACE = ChainSpace(
    name="chain",
    input_shape=(1, 8, 8),
    num_classes=10,
    stem_width=6,
    stages=(Stage(8, 3, 1), Stage(12, 3, 2), Stage(16, 2, 2)),
    operations=tuple(Operation.parse(name) for name in ("k3e1", "k3e3", "k5e3", "k5e6", "skip")),
)


def test_every_position_is_k3_with_the_largest_expansion_and_every_width_is_scaled() -> None:
    half = mobilenet(SPACE, 0.5)
    assert half.label == "mobilenet_x0.50"
    assert half.network == "k3e6-k3e6-k3e6_k3e6-k3e6-k3e6_k3e6-k3e6"
    assert half.space.stem_width == 3
    assert [(stage.width, stage.depth, stage.stride) for stage in half.space.stages] == [
        (4, 3, 1),
        (6, 3, 2),
        (8, 2, 2),
    ]
    row = half.space.parse([half.network])[0]
    assert sum(isinstance(module, MBConv) for module in half.space.build(row).modules()) == 8
    cost = count_module(lambda: half.space.build(row), SPACE.input_shape)
    assert (half.macs, half.params) == (cost.macs, cost.params)


@pytest.mark.parametrize("limit", [60_000, 300_000, 2_000_000])
def test_the_widest_that_fits_is_taken(limit: int) -> None:
    scaled = scaled_mobilenet(SPACE, [Constraint("macs", "max", limit)])
    assert scaled is not None
    assert scaled.macs <= limit < mobilenet(SPACE, scaled.multiplier + 0.01).macs


def test_all_bounds_count() -> None:
    both = [Constraint("macs", "max", 300_000), Constraint("params", "max", 2_000)]
    scaled = scaled_mobilenet(SPACE, both)
    assert scaled is not None
    assert scaled.params <= 2_000
    assert scaled_mobilenet(SPACE, [*both, Constraint("params", "min", 2_001)]) is None
    assert scaled_mobilenet(SPACE, [Constraint("macs", "max", 10)]) is None


def test_a_bound_above_all_networks_lets_it_grow_no_larger_than_these() -> None:
    largest, _ = extreme_paths(SPACE, "", "")
    most = count_module(lambda: SPACE.build(np.array(largest, dtype=np.int8)), SPACE.input_shape).macs
    for limit in (most, 10 * most):
        (scaled,) = scaled_mobilenets(SPACE, [Constraint("macs", "max", limit)])
        assert scaled.macs <= most < mobilenet(SPACE, scaled.multiplier + 0.01).macs
    (scaled,) = scaled_mobilenets(SPACE, [Constraint("params", "max", 10**9)])
    assert scaled.macs <= most


def test_of_several_widths_the_widest_chain_says_what_is_largest() -> None:
    several = ScaledChains(SPACE, image_sizes=(4, 8), widths=(0.5, 2.0))
    scaled = scaled_mobilenets(several, [Constraint("macs", "max", 10**12)])
    assert [one.space.input_shape[-1] for one in scaled] == [4, 8]
    assert all(one.multiplier > 1.5 for one in scaled)


def test_without_an_upper_bound_it_is_the_least_width_from_1_on() -> None:
    plain = scaled_mobilenet(SPACE, [])
    assert plain is not None
    assert plain.multiplier == 1
    wide = scaled_mobilenet(SPACE, [Constraint("params", "min", 2 * plain.params)])
    assert wide is not None
    assert mobilenet(SPACE, wide.multiplier - 0.01).params < 2 * plain.params <= wide.params


def test_latency_is_measured_by_the_function_that_is_given() -> None:
    limit = [Constraint("latency_ms", "max", 5_000)]
    scaled = scaled_mobilenet(SPACE, limit, lambda module, _: sum(p.numel() for p in module.parameters()))
    assert scaled is not None
    assert scaled.params <= 5_000 < mobilenet(SPACE, scaled.multiplier + 0.01).params
    assert scaled_mobilenet(SPACE, limit, None) == mobilenet(SPACE, 4.0)
