"""Spaces by name, and the space that a project's parameters and images ask for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from archatlas.spaces.chain import ChainSpace, Operation, Stage
from archatlas.spaces.parameters import SpaceParameters


def _operations(*names: str) -> tuple[Operation, ...]:
    return tuple(Operation.parse(name) for name in names)


_PRESETS: dict[str, dict[str, Any]] = {
    # Narrow, and with blocks that mix channels alone (kernel 1), so that on 8 x 8 digits it matters what stands where:
    # docs/results.md shows how much.
    "digits": {
        "stem_width": 8,
        "stages": (Stage(8, 4, 1), Stage(16, 2, 2)),
        "operations": _operations("k1e1", "k1e3", "k3e1", "k3e3", "k5e1", "k5e3", "skip"),
    },
    # The chain of ProxylessNAS (Cai et al., ICLR 2019, section 4.2): 21 positions, skip where the shape allows.
    "mobile": {
        "stem_width": 32,
        "stem_stride": 2,
        "stem_block_width": 16,
        "stages": (
            Stage(24, 4, 2),
            Stage(40, 4, 2),
            Stage(80, 4, 2),
            Stage(96, 4, 1),
            Stage(192, 4, 2),
            Stage(320, 1, 1),
        ),
        "operations": _operations("k3e3", "k3e6", "k5e3", "k5e6", "k7e3", "k7e6", "skip"),
        "activation": "relu6",
        "head_width": 1280,
    },
    # NAS-Bench-Macro (Su et al., CVPR 2021, arXiv 2103.11922): 3^8 chains, named by eight digits.
    "nas_bench_macro": {
        "stem_width": 32,
        "stages": (Stage(64, 2, 2), Stage(128, 3, 2), Stage(256, 3, 2)),
        "operations": _operations("skip", "k3e3", "k5e6"),
        "tokens": ("0", "1", "2"),
        "skip": "project",
        "head_width": 1280,
    },
}


def preset(name: str, input_shape: tuple[int, int, int], num_classes: int) -> ChainSpace:
    """The preset ``name`` for images of ``input_shape`` (channels, height, width)."""
    return ChainSpace(name=name, input_shape=input_shape, num_classes=num_classes, **_PRESETS[name])


def make_space(parameters: SpaceParameters, input_shape: tuple[int, int, int], num_classes: int) -> ChainSpace:
    """The preset that ``parameters`` name, with the fields that they set in the place of the preset's own."""
    space = preset(parameters.preset, input_shape, num_classes)
    given = parameters.model_dump(exclude={"preset"}, exclude_none=True)
    if "stages" in given:
        given["stages"] = tuple(Stage(**stage) for stage in given["stages"])
    if "choices" in given:
        given["operations"] = _operations(*given.pop("choices"))
        given["tokens"] = ()
    return replace(space, **given)
