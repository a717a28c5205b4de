"""The super-network of a space."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import torch
from torch import Tensor

from archatlas.errors import ArchatlasError
from archatlas.spaces.nas_bench_201 import NasBench201
from archatlas.spaces.protocol import PrefixShared, SearchSpace
from archatlas.spaces.scaled_chains import ScaledChains
from archatlas.supernet.cells import CellSupernet
from archatlas.supernet.chain import ChainSupernet
from archatlas.supernet.scaled import ScaledSupernet

Supernet: TypeAlias = ChainSupernet | CellSupernet | ScaledSupernet


def make_supernet(space: SearchSpace, generator: torch.Generator) -> Supernet:
    """A super-network of ``space`` with fresh weights from ``generator``; ArchatlasError if there is none for it."""
    if isinstance(space, ScaledChains):
        return ScaledSupernet(space, generator)
    if isinstance(space, PrefixShared):
        return ChainSupernet.of(space, generator)
    if isinstance(space, NasBench201):
        return CellSupernet(space, generator)
    raise ArchatlasError(
        f"there is no super-network for the space {space.name!r}, only for chains of blocks and for the cells of "
        "nas_bench_201. Look its networks up in a public table (`table`), or take another `space.preset`."
    )


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
