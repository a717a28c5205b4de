"""Cells of NAS-Bench-101 as the benchmark itself draws and names them: what tests hold the space against."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from archatlas.spaces.nas_bench_101 import NasBench101
from archatlas.spaces.protocol import Choices


def sample_spellings(space: Any, count: int, generator: np.random.Generator) -> Choices:
    """``count`` valid rows, each uniform over all matrices and operations: networks with many spellings lead.

    That is how the benchmark's own random search draws. Rows are not canonical, and may be twins.
    """
    rows = np.empty((0, len(space.num_choices)), dtype=np.int8)
    while len(rows) < count:
        drawn = generator.integers(0, space.num_choices, size=(2 * count + 8, len(space.num_choices)), dtype=np.int8)
        rows = np.concatenate([rows, drawn[space.cells.valid(drawn)]])
    return rows[:count]


def module_hash(space: NasBench101, choices: ArrayLike) -> str:
    """The benchmark's own name of one cell: MD5 over three rounds and more of hashed neighbourhoods.

    ``graph_util.hash_module`` of google-research/nasbench, on the pruned cell.
    """
    row = space.cells.prune(space.validate(np.atleast_2d(np.asarray(choices))))
    matrix = space.cells.adjacency(row)[0]
    kept = np.flatnonzero(space.cells.used(matrix[None])[0])
    matrix = matrix[np.ix_(kept, kept)]
    labels = [-1, *row[0, len(space.cells.pairs) :][: len(kept) - 2].tolist(), -2]
    degrees = zip(matrix.sum(axis=1).tolist(), matrix.sum(axis=0).tolist(), labels, strict=True)
    hashes = [_md5(str(degree)) for degree in degrees]
    for _ in range(len(kept)):
        above = ["".join(sorted(hashes[i] for i in np.flatnonzero(column))) for column in matrix.T]
        below = ["".join(sorted(hashes[i] for i in np.flatnonzero(line))) for line in matrix]
        hashes = [_md5("|".join(parts)) for parts in zip(above, below, hashes, strict=True)]
    return _md5(str(sorted(hashes)))


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()
