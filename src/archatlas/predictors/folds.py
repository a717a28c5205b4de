"""Folds of networks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def fold_of(count: int, folds: int, seed: int) -> NDArray[np.int64]:
    """The fold of each of ``count`` networks, in equal shares, drawn from ``seed``."""
    return np.random.default_rng([seed, folds]).permutation(count) % folds


def mean_over_folds(values: NDArray[np.float64]) -> tuple[float, float]:
    """The mean of one value per fold, ``[folds]``, and its standard error.

    Folds share most of what they are fitted to, so their values scatter less than those of new data would: the variance
    of the mean of ``k`` folds is ``s^2 (1/k + 1/(k - 1))``, not ``s^2 / k`` (Nadeau and Bengio 2003, section 3, with
    the share of a fold that is judged over the share that is fitted).
    """
    folds = len(values)
    return float(values.mean()), float(values.std(ddof=1) * (1 / folds + 1 / (folds - 1)) ** 0.5)
