"""Features of a batch in blocks of columns: what kernels compare, block by block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, TypeAlias, Union

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Floats = NDArray[np.float64]
State = dict[str, NDArray[np.generic]]
Block: TypeAlias = Union["csr_array", NDArray[np.floating]]


@dataclass(frozen=True)
class Blocks:
    """Matrices ``[n, d]``, dense or sparse.

    ``squares``: for each the squared lengths ``[n]`` of its rows, in which columns count that are not there, too.
    """

    matrices: tuple[Block, ...]
    squares: tuple[Floats, ...]

    @classmethod
    def of(cls, matrices: Sequence[Block]) -> Self:
        """Blocks that have all their columns."""
        return cls(tuple(matrices), tuple(_squares(one) for one in matrices))

    @classmethod
    def of_unit_length(cls, matrices: Sequence[Block]) -> Self:
        """Blocks whose rows have length 1, or would have it if no column were missing."""
        return cls(tuple(matrices), tuple(np.ones(one.shape[0]) for one in matrices))

    def __len__(self) -> int:
        return len(self.squares[0])

    def __getitem__(self, rows: NDArray[np.integer]) -> Blocks:
        return Blocks(tuple(one[rows] for one in self.matrices), tuple(one[rows] for one in self.squares))

    def products(self, other: Blocks) -> Floats:
        """Products of all rows, ``[blocks, n, m]``."""
        pairs = zip(self.matrices, other.matrices, strict=True)
        return np.stack([_dense(first @ second.T) for first, second in pairs])

    def distances(self, other: Blocks) -> Floats:
        """Squared distances of all rows, ``[blocks, n, m]``."""
        lengths = zip(self.squares, other.squares, strict=True)
        sums = np.stack([first[:, None] + second for first, second in lengths])
        return np.maximum(sums - 2 * self.products(other), 0.0)

    def state(self, prefix: str) -> State:
        """The blocks as arrays."""
        arrays: State = {}
        for number, (matrix, squares) in enumerate(zip(self.matrices, self.squares, strict=True)):
            name = f"{prefix}.{number}"
            arrays[f"{name}.squares"] = squares
            if isinstance(matrix, np.ndarray):
                arrays[f"{name}.values"] = matrix
            else:
                arrays |= {f"{name}.values": matrix.data, f"{name}.columns": matrix.indices.astype(np.int64)}
                arrays |= {f"{name}.starts": matrix.indptr.astype(np.int64)}
                arrays |= {f"{name}.width": np.array([matrix.shape[1]])}
        return arrays

    @classmethod
    def from_state(cls, state: State, prefix: str) -> Self:
        """Inverse of ``state``; other entries are left alone."""
        from scipy.sparse import csr_array

        matrices: list[Block] = []
        squares: list[Floats] = []
        while f"{prefix}.{len(matrices)}.squares" in state:
            name = f"{prefix}.{len(matrices)}"
            squares.append(np.asarray(state[f"{name}.squares"], np.float64))
            values = np.asarray(state[f"{name}.values"], np.float64)
            if f"{name}.starts" in state:
                parts = (values, *(np.asarray(state[f"{name}.{part}"], np.int64) for part in ("columns", "starts")))
                shape = (len(squares[-1]), int(state[f"{name}.width"][0]))
                matrices.append(csr_array(parts, shape=shape))
            else:
                matrices.append(values)
        return cls(tuple(matrices), tuple(squares))


def _dense(matrix: Block) -> Floats:
    return np.asarray(matrix if isinstance(matrix, np.ndarray) else matrix.toarray(), dtype=np.float64)


def _squares(matrix: Block) -> Floats:
    squared = matrix**2 if isinstance(matrix, np.ndarray) else matrix.power(2)
    return np.asarray(squared.sum(axis=1), dtype=np.float64).reshape(-1)
