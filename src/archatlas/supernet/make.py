"""The super-network of a space."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import torch
from torch import Tensor

from archatlas.errors import ArchatlasError
from archatlas.spaces.protocol import Documented, SearchSpace
from archatlas.supernet.protocol import Supernet
from archatlas.supernet.registry import SUPERNETS

_Kept = TypeVar("_Kept")


def make_supernet(space: SearchSpace, generator: torch.Generator) -> Supernet:
    """A super-network of ``space`` with fresh weights from ``generator``; ArchatlasError if there is none for it."""
    if not isinstance(space, Documented) or not has_supernet(space):
        raise ArchatlasError(
            f"there is no super-network for the space {space.name!r}, only for {', '.join(SUPERNETS)}. Look its "
            "networks up in a public table (`table`), or take another `space.preset`."
        )
    supernet: Supernet = SUPERNETS.load(space.kind)(space, generator)
    return supernet


def has_supernet(space: SearchSpace) -> bool:
    """Whether there is a super-network for spaces of its kind."""
    return isinstance(space, Documented) and space.kind in SUPERNETS


def in_order(supernets: Mapping[str, _Kept]) -> dict[int, _Kept]:
    """What is kept of the super-networks ``seed_0``, ``seed_1``, ..., by number, in the order of numbers."""
    numbered = {int(name.removeprefix("seed_")): kept for name, kept in supernets.items()}
    return dict(sorted(numbered.items()))


def load_supernet(space: SearchSpace, weights: Mapping[str, Tensor]) -> Supernet:
    """The super-network of ``space`` with these weights; ArchatlasError if they are another space's."""
    supernet = make_supernet(space, torch.Generator().manual_seed(0))
    try:
        supernet.load_state_dict(dict(weights))
    except RuntimeError as error:
        raise ArchatlasError(
            f"the super-network's weights do not fit the space {space.name!r}: they were trained for other `space` or "
            "`images` parameters. Run the pipeline train_supernet again."
        ) from error
    return supernet
