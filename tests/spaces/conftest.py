"""Spaces that the contract is checked on: every preset, and variations that presets do not have."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest

from archatlas.spaces.chain import ChainSpace
from archatlas.spaces.chain_parameters import ChainParameters
from archatlas.spaces.chain_parts import Operation, Stage
from archatlas.spaces.nas_bench_101 import NasBench101
from archatlas.spaces.nas_bench_201 import NasBench201
from archatlas.spaces.presets import make_space, preset
from archatlas.spaces.protocol import SearchSpace
from archatlas.spaces.registry import SPACES
from archatlas.spaces.scaled_chains import ScaledChains
from archatlas.spaces.tables.accel_nasbench import AccelNasBench
from archatlas.spaces.tables.once_for_all import OnceForAllMobileNetV3
from archatlas.spaces.tables.transnas_bench_101_micro import TransNasBench101Micro
from archatlas.spaces.wired_cells import CellShape, WiredCells

from ..newcomers.newcomer_space import FreeDag
from ..vertex_spellings import sample_spellings

PRESETS = tuple(SPACES)
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


def wide_space() -> ChainSpace:
    """The tiny space with widths of which half can be taken."""
    return replace(tiny_space(), stem_width=16, stages=(Stage(16, 2, 1), Stage(24, 2, 2)))


def _gated_space() -> SearchSpace:
    parameters = ChainParameters(
        squeeze_excitation=True, activation="hard_swish", head_width=24, stem_block_width=8, choices=("k3e3", "k7e6")
    )
    return make_space(parameters, (3, 9, 9), 5)


ALL_SPACES: dict[str, Any] = {name: preset(name, SHAPES.get(name, (3, 32, 32)), 10) for name in PRESETS} | {
    "tiny": tiny_space(),
    "scaled": ScaledChains(wide_space(), (4, 6, 8), (0.5, 1.0)),
    "gated": _gated_space(),
    # Odd sizes, a stage that widens without a stride, stems unlike the first stage.
    "narrow_201": NasBench201("narrow_201", (1, 9, 7), 3, 4, (Stage(6, 1, 1), Stage(8, 2, 2))),
    # The core alone, uncounted.
    "free_dag": FreeDag("free_dag", (1, 9, 7), 3),
    "small_101": NasBench101("small_101", (1, 9, 7), 3, 4, (Stage(5, 2, 1), Stage(11, 1, 2)), vertices=5),
    # A stem of two convolutions, odd sizes, a single vertex that must be used.
    "small_wired": WiredCells(
        "small_wired", (1, 9, 7), 3, (CellShape("0110", 4, 6), CellShape("1010", 5, 3, False)), 1, 4, 5, 2, 6
    ),
    # Their own networks see images of 224 pixels and more.
    "transnas_bench_101_micro": TransNasBench101Micro("transnas_bench_101_micro", (3, 64, 28), 5),
    "once_for_all_mobilenet_v3": OnceForAllMobileNetV3(input_shape=(3, 40, 33), num_classes=5),
    "accel_nasbench": AccelNasBench(input_shape=(3, 40, 33), num_classes=5),
}
SMALL_SPACES = ["tiny", "scaled", "nas_bench_macro", "nas_bench_201", "small_101", "transnas_bench_101_micro"]


def random_rows(space: Any, count: int, seed: int) -> np.ndarray:
    """Any architectures, canonical or not."""
    generator = np.random.default_rng(seed)
    if isinstance(space, NasBench101):
        return sample_spellings(space, count, generator)
    if isinstance(space, WiredCells):
        bits = generator.random((9 * count, len(space.num_choices))) < 0.5
        return bits[space.valid(bits)][:count].astype(np.int8)
    return generator.integers(0, space.num_choices, size=(count, len(space.num_choices))).astype(np.int8)


def every_row(space: Any) -> np.ndarray:
    """All architectures of a small space."""
    rows = np.array(list(product(*(range(count) for count in space.num_choices))), dtype=np.int8)
    return rows[space.cells.valid(rows)] if isinstance(space, NasBench101) else rows


@pytest.fixture(params=sorted(ALL_SPACES))
def space(request: pytest.FixtureRequest) -> Any:
    return ALL_SPACES[request.param]


@pytest.fixture(params=SMALL_SPACES)
def small_space(request: pytest.FixtureRequest) -> Any:
    return ALL_SPACES[request.param]
