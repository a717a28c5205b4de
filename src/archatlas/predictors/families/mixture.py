"""Several models' outputs as one: non-negative weights."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def mixture_weights(parts: list[Floats], values: Floats, weights: Floats) -> Floats:
    """Intercept and non-negative weights of the parts by weighted least squares, ``[parts + 1]``.

    Least squares with weights of one sign is what stacking asks for (Breiman, Machine Learning 24, 1996, section 2):
    parts that say the same share a weight instead of being set against each other, and what says nothing gets none.

    Args:
        parts: each ``[n]``, outputs for rows that the model has not seen
        values: ``[n]``, what the rows are worth
        weights: ``[n]``, what each row counts
    """
    from scipy.optimize import nnls

    root = np.sqrt(weights)
    ones = np.ones_like(values)
    columns = np.stack([ones, -ones, *parts], axis=1)
    solution, _ = nnls(columns * root[:, None], values * root)
    return np.concatenate([[solution[0] - solution[1]], solution[2:]])
