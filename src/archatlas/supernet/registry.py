"""Super-networks by the kind of space that they are for. A new one is a file beside this one and a line below."""

from __future__ import annotations

from archatlas.registry import Registry

SUPERNETS = Registry(
    "super-network for spaces of the kind",
    {
        "chain": "archatlas.supernet.chain:ChainSupernet.of",
        "scaled_chains": "archatlas.supernet.scaled:ScaledSupernet",
        "nas_bench_201": "archatlas.supernet.cells:CellSupernet",
        "wired_cells": "archatlas.supernet.wired:WiredSupernet",
    },
)
"""Each makes a ``Supernet`` of a space and a generator, from which its weights are drawn."""
