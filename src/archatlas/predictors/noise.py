"""How far off chance may put a mean or a difference."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def combined_reach(variances: Sequence[float], degrees: Sequence[float], confidence: float = 0.95) -> float:
    """How far an interval reaches to either side of a value whose variance is a sum of estimated ones.

    Student's t times ``sqrt(sum v_i)``, with ``(sum v_i)^2 / sum(v_i^2 / d_i)`` degrees of freedom (Satterthwaite 1946,
    Welch 1947). An estimate that counts twice is one variance here and not two: only independent ones are told apart.

    Args:
        variances: ``v_i``, of the value itself: of a mean of ``n`` numbers ``s^2 / n``; of NaN comes NaN.
        degrees: ``d_i``, on which each was estimated, 1 at least; infinite of one that is known.
        confidence: how much the interval covers, both sides together.
    """
    from scipy.stats import t

    parts = [(variance, free) for variance, free in zip(variances, degrees, strict=True) if variance != 0]
    if not parts:
        return 0.0
    total, spent = sum(variance for variance, _ in parts), sum(variance**2 / free for variance, free in parts)
    free = total**2 / spent if spent else np.inf
    return float(t.ppf((1 + confidence) / 2, free) * total**0.5)


def reach_of_mean(values: ArrayLike) -> float:
    """How far a 95% interval reaches to either side of the mean of independent values; NaN of fewer than two."""
    known = np.asarray(values, dtype=np.float64)
    count = len(known)
    return combined_reach([float(known.var(ddof=1)) / count], [count - 1]) if count > 1 else float("nan")


def reach_over_folds(values: Floats) -> float:
    """How far a 95% interval reaches to either side of the mean of what folds gave, a value each; infinite of one."""
    if len(values) < 2:
        return float("inf")
    return combined_reach([variance_over_folds(values)], [len(values) - 1])


def variance_over_folds(values: Floats) -> float:
    """Variance of the mean of what ``k`` folds gave, a value each: ``s^2 (1/k + 1/(k - 1))``, on ``k - 1`` degrees.

    Folds share most of what they are fitted to, so that they scatter less than new data would and ``s^2 / k`` is too
    little (Nadeau and Bengio 2003, section 3, with the share of a fold that is judged over the share that is fitted).
    """
    folds = len(values)
    return float(np.var(values, ddof=1)) * (1 / folds + 1 / (folds - 1))
