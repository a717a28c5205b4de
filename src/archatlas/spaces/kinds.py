"""Classes of spaces by the kind that documents of exported networks name. Torch-free."""

from __future__ import annotations

from archatlas.registry import Registry

KINDS = Registry(
    "kind of space",
    {
        "chain": "archatlas.spaces.chain:ChainSpace",
        "nas_bench_201": "archatlas.spaces.nas_bench_201:NasBench201",
        "nas_bench_101": "archatlas.spaces.nas_bench_101:NasBench101",
        "wired_cells": "archatlas.spaces.wired_cells:WiredCells",
    },
)
"""Data classes whose fields, as JSON, make the space again; a line here lets networks of a new space be exported."""
