"""Folds of networks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def fold_of(count: int, folds: int, seed: int) -> NDArray[np.int64]:
    """The fold of each of ``count`` networks, in equal shares, drawn from ``seed``."""
    return np.random.default_rng([seed, folds]).permutation(count) % folds
