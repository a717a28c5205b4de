from __future__ import annotations

import pytest

from archatlas.costs.constraints import Constraint
from archatlas.errors import ArchatlasError
from archatlas.spaces.chain_parameters import ChainParameters
from archatlas.spaces.presets import make_space, preset
from archatlas.verification.members import member_of
from archatlas.verification.mobilenet import mobilenet, scaled_mobilenets

CHAIN = preset("photographs", (3, 48, 48), 10)
SCALED = make_space(ChainParameters(preset="photographs", image_sizes=(32, 48), widths=(0.5, 1.0)), (3, 48, 48), 10)
NAME = "k3e3-skip_k5e3-k3e3-k3e3_k5e3-k3e3-k3e3"


def test_a_network_of_a_chain_is_its_own() -> None:
    member = member_of(CHAIN, NAME)
    assert (member.space, member.network) == (CHAIN, NAME)


def test_of_several_sizes_and_widths_a_network_is_one_of_its_members_space() -> None:
    member = member_of(SCALED, f"r32_w0.5_{NAME}")
    assert member.network == NAME
    assert member.space.input_shape == (3, 32, 32)
    assert member.space.stages[-1].width == 40
    assert member.build() is not None
    with pytest.raises(ArchatlasError, match="is not the name"):
        member_of(SCALED, NAME)


def test_there_is_a_mobilenet_for_every_size_within_the_budget() -> None:
    limit = [Constraint("macs", "max", 6_000_000)]
    small, large = scaled_mobilenets(SCALED, limit)
    assert small.label == f"mobilenet_x{small.multiplier:.2f}_r32"
    assert large.label == f"mobilenet_x{large.multiplier:.2f}_r48"
    assert small.multiplier > large.multiplier
    for scaled in (small, large):
        assert 5_500_000 < scaled.macs <= 6_000_000
        member = member_of(SCALED, scaled.label)
        assert member.space == scaled.space
    (alone,) = scaled_mobilenets(CHAIN, limit)
    assert alone.label == f"mobilenet_x{large.multiplier:.2f}"
    assert member_of(CHAIN, alone.label).space == mobilenet(CHAIN, alone.multiplier).space
    assert scaled_mobilenets(preset("nas_bench_201", (3, 32, 32), 10), limit) == []
