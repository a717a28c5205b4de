"""A graph as one row of numbers: its adjacency matrix, and the features of its nodes, entry by entry.

Two graphs have like rows where they are written alike, so it is canonical graphs that this is for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from archatlas.graphs.architecture_graphs import ArchitectureGraphs

State = dict[str, NDArray[np.generic]]

_CONSTANT = 1e-6


@dataclass(frozen=True)
class FlatGraphs:
    """Which entries are taken: those that are not the same in all graphs where they were found.

    Shapes:
        edges: int64 ``[e]``, places in the adjacency matrix read row by row
        features: int64 ``[k]``, places in the matrix of node features read row by row
    """

    edges: NDArray[np.int64]
    features: NDArray[np.int64]

    @classmethod
    def find(cls, graphs: ArchitectureGraphs) -> Self:
        """All entries that vary in ``graphs``."""
        edges, features = _rows(graphs)
        share = edges.mean(axis=0)
        return cls(
            np.flatnonzero((share > 0) & (share < 1)),
            np.flatnonzero(np.ptp(features, axis=0) > _CONSTANT) if len(features) else np.zeros(0, np.int64),
        )

    def adjacency(self, graphs: ArchitectureGraphs) -> NDArray[np.float32]:
        """Whether the edges are there, 0 or 1, ``[n, e]``."""
        return _rows(graphs)[0][:, self.edges].astype(np.float32)

    def matrix(self, graphs: ArchitectureGraphs) -> NDArray[np.float32]:
        """Edges and features side by side, ``[n, e + k]``."""
        return np.concatenate([self.adjacency(graphs), _rows(graphs)[1][:, self.features]], axis=1)

    def state(self) -> State:
        """The places as arrays."""
        return {"flat.edges": self.edges, "flat.features": self.features}

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Inverse of ``state``; other entries are left alone."""
        return cls(np.asarray(state["flat.edges"], np.int64), np.asarray(state["flat.features"], np.int64))


def _rows(graphs: ArchitectureGraphs) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    return graphs.adjacency.reshape(len(graphs), -1), graphs.features.reshape(len(graphs), -1)
