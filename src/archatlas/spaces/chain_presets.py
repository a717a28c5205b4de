"""Presets of chains, and the chains that parameters make of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from archatlas.spaces.chain import ChainSpace
from archatlas.spaces.chain_parameters import ChainParameters
from archatlas.spaces.chain_parts import Operation, Stage, fields_of
from archatlas.spaces.protocol import SearchSpace
from archatlas.spaces.scaled_chains import ScaledChains


@dataclass(frozen=True)
class ChainPreset:
    """Chains with these ``fields`` of ``ChainSpace``; one that is a function is of the side of images, pixels."""

    fields: Mapping[str, Any]

    def __call__(self, parameters: ChainParameters, input_shape: tuple[int, int, int], num_classes: int) -> SearchSpace:
        """The chains with what ``parameters`` set in the place of the preset's own."""
        side = input_shape[-1]
        fields = {name: value(side) if callable(value) else value for name, value in self.fields.items()}
        given = fields_of(parameters)
        if "choices" in given:
            given["operations"] = _operations(*given.pop("choices"))
            given["tokens"] = ()
        sizes, widths = given.pop("image_sizes", None), given.pop("widths", None)
        chain = replace(ChainSpace(parameters.preset, input_shape, num_classes, **fields), **given)
        if sizes is None and widths is None:
            return chain
        return ScaledChains(chain, sizes or input_shape[-1:], widths or (1.0,))


def _operations(*names: str) -> tuple[Operation, ...]:
    return tuple(Operation.parse(name) for name in names)


_STRIDED_FROM = 80
"""Sides of images, pixels, from which the stem of ``photographs`` has stride 2."""

# Narrow, and with blocks that mix channels alone (kernel 1), so that on 8 x 8 digits it matters what stands where:
# docs/results.md shows how much.
DIGITS = ChainPreset(
    {
        "stem_width": 8,
        "stages": (Stage(8, 4, 1), Stage(16, 2, 2)),
        "operations": _operations("k1e1", "k1e3", "k3e1", "k3e3", "k5e1", "k5e3", "skip"),
    }
)

# The chain of ProxylessNAS (Cai et al., ICLR 2019, section 4.2): 21 positions, skip where the shape allows.
MOBILE = ChainPreset(
    {
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
    }
)

# A user's own photographs, at the sizes that one evening allows: 3 to 15 million MACs at 32 pixels. Its maps end at
# 4 x 4 for 32 pixels and 8 x 8 for 64; the stem of larger images is strided.
PHOTOGRAPHS = ChainPreset(
    {
        "stem_width": 16,
        "stem_stride": lambda side: 1 if side < _STRIDED_FROM else 2,
        "stages": (Stage(24, 2, 2), Stage(40, 3, 2), Stage(80, 3, 2)),
        "operations": _operations("k3e3", "k3e6", "k5e3", "k5e6", "skip"),
        "activation": "relu6",
        "head_width": 256,
    }
)

# NAS-Bench-Macro (Su et al., CVPR 2021, arXiv 2103.11922): 3^8 chains, named by eight digits.
NAS_BENCH_MACRO = ChainPreset(
    {
        "stem_width": 32,
        "stages": (Stage(64, 2, 2), Stage(128, 3, 2), Stage(256, 3, 2)),
        "operations": _operations("skip", "k3e3", "k5e6"),
        "tokens": ("0", "1", "2"),
        "skip": "project",
        "head_width": 1280,
    }
)
