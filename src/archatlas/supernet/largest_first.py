"""The largest path is trained before all others, which then begin as slices of it.

After progressive shrinking (Cai et al., Once-for-All, ICLR 2020, section 3.2), for choices that share no weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple, TypeGuard

import torch
from torch import nn

from archatlas.errors import ArchatlasError
from archatlas.networks.blocks import MBConv
from archatlas.networks.slices import copy_slice
from archatlas.spaces.protocol import SearchSpace
from archatlas.spaces.scaled_chains import CHAIN_FROM, ScaledChains
from archatlas.supernet.protocol import Supernet
from archatlas.supernet.strategies.extremes import extreme_paths


class Slice(NamedTuple):
    """A block, and the largest one of its position, as a slice of which it begins."""

    block: MBConv
    source: MBConv


@dataclass(frozen=True)
class OneOf:
    """One of a few paths in every step."""

    paths: tuple[tuple[int, ...], ...]

    def __call__(self, step: int, generator: torch.Generator) -> list[tuple[int, ...]]:
        """A path; which of them depends on ``generator`` alone."""
        if len(self.paths) == 1:
            return [self.paths[0]]
        return [self.paths[int(torch.randint(len(self.paths), (1,), generator=generator))]]


def largest_paths(space: SearchSpace) -> OneOf:
    """The largest path of a chain; of chains of several sizes and widths the largest of each.

    Raises:
        ArchatlasError: there is no such path.
    """
    largest, _ = extreme_paths(space, "`supernet.largest_first_epochs`", "leave it at 0")
    if not isinstance(space, ScaledChains):
        return OneOf((largest,))
    pairs = product(range(len(space.image_sizes)), range(len(space.widths)))
    return OneOf(tuple((*pair, *largest[CHAIN_FROM:]) for pair in pairs))


def slices_of(supernet: Supernet, largest: Sequence[int]) -> list[Slice]:
    """All blocks that can begin as slices of the ``largest`` path's, which for several widths is that of each.

    Skips, projections and blocks that do not expand have no parts in common with others, and stay as they are.

    Raises:
        ArchatlasError: there is no such block.
    """
    slices = [
        Slice(block, source)
        for source, others in supernet.alternatives(largest)
        if _has_slices(source)
        for block in others
        if _has_slices(block)
    ]
    if not slices:
        raise ArchatlasError(
            "`supernet.largest_first_epochs` asks that blocks begin as slices of the largest path's, but at no "
            "position do two choices expand, so that one could be a slice of the other: leave it at 0"
        )
    return slices


def begin_as_slices(slices: Sequence[Slice]) -> None:
    """Copy into every block, in place, what it has room for of its source's weights.

    The choices of a position then agree on what their features mean, of which smaller ones lack some. Where each is
    drawn for itself, what follows has to serve as many bases as there are choices (docs/experiments.md).
    """
    for block, source in slices:
        copy_slice(block, source)


def _has_slices(block: nn.Module) -> TypeGuard[MBConv]:
    return isinstance(block, MBConv) and block.expands
