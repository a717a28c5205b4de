"""Search spaces by name. Torch-free: read before anything heavy is imported."""

from __future__ import annotations

from archatlas.registry import Registry

SPACES = Registry(
    "search space",
    {
        "digits": ("archatlas.spaces.chain_presets:DIGITS", "archatlas.spaces.chain_parameters:ChainParameters"),
        "photographs": (
            "archatlas.spaces.chain_presets:PHOTOGRAPHS",
            "archatlas.spaces.chain_parameters:ChainParameters",
        ),
        "mobile": ("archatlas.spaces.chain_presets:MOBILE", "archatlas.spaces.chain_parameters:ChainParameters"),
        "nas_bench_macro": (
            "archatlas.spaces.chain_presets:NAS_BENCH_MACRO",
            "archatlas.spaces.chain_parameters:ChainParameters",
        ),
        "nas_bench_201": (
            "archatlas.spaces.nas_bench_201:NasBench201.of",
            "archatlas.spaces.cell_parameters:EdgeCellParameters",
        ),
        "nas_bench_101": (
            "archatlas.spaces.nas_bench_101:NasBench101.of",
            "archatlas.spaces.cell_parameters:VertexCellParameters",
        ),
        "wired_cells": (
            "archatlas.spaces.wired_cells:WiredCells.of",
            "archatlas.spaces.wired_parameters:WiredCellParameters",
        ),
    },
)
"""What makes a space of its settings, the shape of images (channels, height, width) and the number of classes; and the
model of these settings (a ``SpaceParameters``). A new space is a file, which may hold both, and a line here."""
