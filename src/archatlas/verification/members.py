"""Which network a name in the tables stands for: one of the space, or a MobileNet scaled by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from archatlas.errors import ArchatlasError
from archatlas.spaces.chain import ChainSpace
from archatlas.spaces.protocol import SearchSpace
from archatlas.spaces.scaled_chains import ScaledChains
from archatlas.verification.mobilenet import LABEL, mobilenet

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Member:
    """A network by its name in a space, which need not be the one that was searched.

    It takes images of ``space.input_shape``: where sizes are part of the search, of its own size.
    """

    space: SearchSpace
    network: str

    def build(self) -> nn.Module:
        """The network with fresh weights."""
        return self.space.build(self.space.parse([self.network])[0])


def is_mobilenet(name: str) -> bool:
    """Whether a name in tables is that of a MobileNet scaled by hand, which no super-network holds."""
    return name.startswith(LABEL)


def member_of(space: SearchSpace, name: str) -> Member:
    """The network that ``name`` stands for in tables of a search in ``space``: a MobileNet by its label, or its own.

    Of chains of several sizes and widths, a network is one of its member's chain space.

    Raises:
        ArchatlasError: a MobileNet, where the space is no chain, or a name that is none.
    """
    if not is_mobilenet(name):
        if not isinstance(space, ScaledChains):
            return Member(space, name)
        ((label, _, own),) = space.by_member(space.parse([name]))
        return Member(space.members[label], str(space.members[label].names(own)[0]))
    number, _, size = name.removeprefix(LABEL).partition("_r")
    base = space.base if isinstance(space, ScaledChains) else space
    if not isinstance(base, ChainSpace):
        raise ArchatlasError(f"{name} is a MobileNet scaled to a chain of blocks, but {space.name} is no chain")
    scaled = mobilenet(base.seen_at(int(size)) if size else base, float(number))
    return Member(scaled.space, scaled.network)
