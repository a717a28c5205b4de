"""Intervals of means by Student's t: what a few values can tell, where their spread is known from themselves alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

CONFIDENCE = 0.95


def reach_of(variance: float, freedom: float) -> float:
    """How far an interval goes to either side of a mean of this variance, which ``freedom`` degrees have told."""
    from scipy.stats import t

    return float(t.ppf((1 + CONFIDENCE) / 2, freedom) * np.sqrt(variance))


def reach_of_mean(values: ArrayLike) -> float:
    """The same of the mean of independent values, NaN of fewer than two."""
    known = np.asarray(values, dtype=np.float64)
    count = len(known)
    return reach_of(float(known.var(ddof=1)) / count, count - 1) if count > 1 else float("nan")
