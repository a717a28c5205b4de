from __future__ import annotations

import numpy as np

from archatlas.graphs.architecture_graphs import ArchitectureGraphs


def _graphs() -> ArchitectureGraphs:
    generator = np.random.default_rng(0)
    return ArchitectureGraphs(
        features=generator.random((5, 4, 3)).astype(np.float32),
        adjacency=generator.random((5, 4, 4)) > 0.5,
        mask=np.ones((5, 4), dtype=bool),
    )


def test_rows_are_taken_from_every_tensor():
    graphs = _graphs()
    assert len(graphs) == 5
    for rows in (slice(1, 3), np.array([1, 2]), np.array([False, True, True, False, False])):
        part = graphs[rows]
        assert len(part) == 2
        assert (part.features == graphs.features[1:3]).all()
        assert (part.adjacency == graphs.adjacency[1:3]).all()
        assert part.mask.shape == (2, 4)
