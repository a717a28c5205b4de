"""Rows that are equal, found once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]


def distinct_rows(choices: NDArray[np.int8]) -> tuple[Integers, Integers]:
    """Where each distinct row first stands, ascending, and for every row its place among the distinct ones."""
    packed = np.ascontiguousarray(choices).view(f"V{choices.shape[1] * choices.itemsize}").ravel()
    _, first, place = np.unique(packed, return_index=True, return_inverse=True)
    order = np.argsort(first)
    return first[order], np.argsort(order)[place]
