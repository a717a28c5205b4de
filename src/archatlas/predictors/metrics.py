"""How well predictions rank.

A rank correlation with a constant is undefined; here it is 0, since a constant puts nothing in order: a predictor that
has learned nothing then stands in the tables as what it is.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Metric = Callable[[Floats, Floats], float]


def kendall_tau(truth: Floats, predicted: Floats) -> float:
    """Kendall's tau-b (Kendall 1945) of two vectors ``[n]``; 0 where one is constant."""
    from scipy.stats import kendalltau

    return _or_zero(truth, predicted, lambda: kendalltau(truth, predicted).statistic)


def spearman(truth: Floats, predicted: Floats) -> float:
    """Spearman's rank correlation; 0 where one is constant."""
    from scipy.stats import spearmanr

    return _or_zero(truth, predicted, lambda: spearmanr(truth, predicted).statistic)


def kendall_tau_top_half(truth: Floats, predicted: Floats) -> float:
    """Kendall's tau-b among those whose truth is at least the median of the truth."""
    top = truth >= np.median(truth) if len(truth) else np.zeros(0, dtype=np.bool_)
    return kendall_tau(truth[top], predicted[top])


def rmse(truth: Floats, predicted: Floats) -> float:
    """Root of the mean squared error, in the score's unit."""
    return float(np.sqrt(np.mean((truth - predicted) ** 2)))


METRICS: dict[str, Metric] = {
    "kendall_tau": kendall_tau,
    "spearman": spearman,
    "kendall_tau_top_half": kendall_tau_top_half,
    "rmse": rmse,
}
"""The columns of the table of predictor scores."""


def bootstrap_interval(
    truth: Floats,
    predicted: Floats,
    *,
    samples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
    metric: Metric = kendall_tau,
) -> tuple[float, float]:
    """Percentile interval of ``metric`` from ``samples`` resamplings of the architectures."""
    drawn = [metric(truth[rows], predicted[rows]) for rows in _resamples(len(truth), samples, seed)]
    return _percentiles(drawn, confidence)


def paired_bootstrap_interval(
    truth: Floats,
    first: Floats,
    second: Floats,
    *,
    samples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
    metric: Metric = kendall_tau,
) -> tuple[float, float]:
    """Percentile interval of ``metric(first) - metric(second)``: both see the same resampled architectures.

    Vectors are ``[n]``; or all ``[n, k]``, and the metric is averaged over the ``k`` columns.
    """
    columns = [np.atleast_2d(np.asarray(vector).T) for vector in (truth, first, second)]
    drawn = [
        float(np.mean([metric(t[rows], a[rows]) - metric(t[rows], b[rows]) for t, a, b in zip(*columns, strict=True)]))
        for rows in _resamples(len(truth), samples, seed)
    ]
    return _percentiles(drawn, confidence)


def _or_zero(truth: Floats, predicted: Floats, correlation: Callable[[], float]) -> float:
    if len(truth) < 2 or np.ptp(truth) == 0 or np.ptp(predicted) == 0:
        return 0.0
    value = float(correlation())
    return 0.0 if np.isnan(value) else value


def _resamples(count: int, samples: int, seed: int) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(count, size=(samples, count))


def _percentiles(drawn: list[float], confidence: float) -> tuple[float, float]:
    tail = 100 * (1 - confidence) / 2
    low, high = np.percentile(np.asarray(drawn, dtype=np.float64), [tail, 100 - tail])
    return float(low), float(high)
