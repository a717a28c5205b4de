"""Spaces that the contract is checked on: every preset, and variations that presets do not have."""

from __future__ import annotations

from typing import get_args

import pytest

from archatlas.spaces.chain import ChainSpace, Operation, Stage
from archatlas.spaces.parameters import SpaceParameters
from archatlas.spaces.presets import make_space, preset

PRESETS = get_args(SpaceParameters.model_fields["preset"].annotation)
SHAPES = {"digits": (1, 8, 8)}


def tiny_space() -> ChainSpace:
    """54 architectures, 42 networks: runs of 7, 2 and 3."""
    return ChainSpace(
        name="tiny",
        input_shape=(1, 8, 8),
        num_classes=3,
        stem_width=4,
        stages=(Stage(4, 2, 1), Stage(6, 2, 2)),
        operations=tuple(Operation.parse(name) for name in ("k3e1", "skip", "k5e3")),
    )


def _gated_space() -> ChainSpace:
    parameters = SpaceParameters(
        squeeze_excitation=True, activation="hard_swish", head_width=24, stem_block_width=8, choices=("k3e3", "k7e6")
    )
    return make_space(parameters, (3, 9, 9), 5)


ALL_SPACES = {name: preset(name, SHAPES.get(name, (3, 32, 32)), 10) for name in PRESETS} | {
    "tiny": tiny_space(),
    "gated": _gated_space(),
}


@pytest.fixture(params=sorted(ALL_SPACES))
def space(request: pytest.FixtureRequest) -> ChainSpace:
    return ALL_SPACES[request.param]


@pytest.fixture(params=["tiny", "nas_bench_macro"])
def small_space(request: pytest.FixtureRequest) -> ChainSpace:
    return ALL_SPACES[request.param]
