"""Architectures as operation-on-node graphs in dense tensors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ArchitectureGraphs:
    """``n`` directed graphs of at most ``v`` nodes with ``f`` features each, padded to one size.

    Node 0 is the input and node ``v - 1`` the output of every graph; nodes outside ``mask`` are padding: they have no
    edges and their features are zero.

    Shapes:
        features: float32 ``[n, v, f]``, scaled to the order of one
        adjacency: bool ``[n, v, v]``; ``adjacency[:, i, j]`` is an edge from ``i`` to ``j``, so data flow from i to j
        mask: bool ``[n, v]``
    """

    features: NDArray[np.float32]
    adjacency: NDArray[np.bool_]
    mask: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.mask)

    def __getitem__(self, rows: slice | NDArray[np.integer] | NDArray[np.bool_]) -> ArchitectureGraphs:
        return ArchitectureGraphs(self.features[rows], self.adjacency[rows], self.mask[rows])
