"""The largest path is trained before all others, which then begin as slices of it.

After progressive shrinking (Cai et al., Once-for-All, ICLR 2020, section 3.2), for choices that share no weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeGuard

import torch
from torch import nn

from archatlas.networks.blocks import MBConv
from archatlas.networks.slices import copy_slice
from archatlas.supernet.chain import ChainSupernet


@dataclass(frozen=True)
class OnePath:
    """The same path in every step."""

    path: tuple[int, ...]

    def __call__(self, step: int, generator: torch.Generator) -> list[tuple[int, ...]]:
        """That path."""
        return [self.path]


def start_as_slices(supernet: ChainSupernet, largest: Sequence[int]) -> None:
    """Copy into every block of a position, in place, what it has room for of the ``largest`` one's weights.

    The choices of a position then agree on what their features mean, of which smaller ones lack some. Where each is
    drawn for itself, what follows has to serve as many bases as there are choices (docs/results.md). Skips,
    projections and blocks that do not expand have no parts in common with others and stay as they are.
    """
    for position, chosen in enumerate(largest):
        source = supernet.block(position, chosen)
        for block in supernet.row(position):
            if block is not source and _has_slices(source) and _has_slices(block):
                copy_slice(block, source)


def _has_slices(block: nn.Module) -> TypeGuard[MBConv]:
    return isinstance(block, MBConv) and block.expands
