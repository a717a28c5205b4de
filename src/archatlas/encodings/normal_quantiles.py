"""Numbers by their order alone, on the scale of a normal distribution."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def normal_quantiles(values: Floats) -> Floats:
    """Normal quantiles of the ranks of ``[n]`` values; equal ones share the mean of their ranks."""
    from scipy.stats import norm, rankdata

    return np.asarray(norm.ppf((rankdata(values) - 0.5) / len(values)), dtype=np.float64)
