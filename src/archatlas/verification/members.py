"""Which network a name in the tables stands for: one of the space, or a MobileNet scaled by hand."""

from __future__ import annotations

from dataclasses import dataclass

from archatlas.errors import ArchatlasError
from archatlas.spaces.chain import ChainSpace
from archatlas.spaces.protocol import SearchSpace
from archatlas.verification.mobilenet import LABEL, mobilenet


@dataclass(frozen=True)
class Member:
    """A network by its name in a space, which need not be the one that was searched."""

    space: SearchSpace
    network: str


def member_of(space: SearchSpace, name: str) -> Member:
    """The network that ``name`` stands for in tables of a search in ``space``: a MobileNet by its label, or its own.

    Raises:
        ArchatlasError: a MobileNet, where the space is no chain.
    """
    if not name.startswith(LABEL):
        return Member(space, name)
    if not isinstance(space, ChainSpace):
        raise ArchatlasError(f"{name} is a MobileNet scaled to a chain of blocks, but {space.name} is no chain")
    scaled = mobilenet(space, float(name.removeprefix(LABEL)))
    return Member(scaled.space, scaled.network)
