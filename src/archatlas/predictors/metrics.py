"""How well predictions rank.

A rank correlation with a constant is undefined; here it is 0, since a constant puts nothing in order: a predictor that
has learned nothing then stands in the tables as what it is.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Metric = Callable[[Floats, Floats], float]

_LARGEST_PAIRWISE = 2000
"""Rows up to which a resampled tau is counted from the matrix of all pairs."""


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
    return _percentiles(_resampled(truth, predicted, metric, samples, seed), confidence)


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
        _resampled(t, a, metric, samples, seed) - _resampled(t, b, metric, samples, seed)
        for t, a, b in zip(*columns, strict=True)
    ]
    return _percentiles(np.mean(drawn, axis=0), confidence)


def mean_pairwise_tau(scores: Floats) -> float:
    """Kendall's tau-b between columns of ``scores`` ``[n, k]``, the mean over all pairs of them."""
    return float(np.mean([kendall_tau(one, other) for one, other in combinations(scores.T, 2)]))


def mean_pairwise_tau_interval(
    scores: Floats, *, samples: int = 1000, confidence: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """Percentile interval of ``mean_pairwise_tau``; all pairs see the same resampled rows."""
    drawn = [_resampled(one, other, kendall_tau, samples, seed) for one, other in combinations(scores.T, 2)]
    return _percentiles(np.mean(drawn, axis=0), confidence)


def wilson_interval(accuracy: float, images: int, confidence: float = 0.95) -> tuple[float, float]:
    """Interval of a share of ``images`` (Wilson, JASA 1927), which stays within 0 and 1.

    The mean accuracy of several trainings is on the same images, so these, and not images times trainings, count.
    """
    from scipy.stats import binomtest

    interval = binomtest(round(accuracy * images), images).proportion_ci(confidence, method="wilson")
    return float(interval.low), float(interval.high)


def _or_zero(truth: Floats, predicted: Floats, correlation: Callable[[], float]) -> float:
    if len(truth) < 2 or np.ptp(truth) == 0 or np.ptp(predicted) == 0:
        return 0.0
    value = float(correlation())
    return 0.0 if np.isnan(value) else value


def _resampled(truth: Floats, predicted: Floats, metric: Metric, samples: int, seed: int) -> Floats:
    """The metric of each resampling of the rows, ``[samples]``."""
    rows = np.random.default_rng(seed).integers(len(truth), size=(samples, len(truth)))
    if metric is kendall_tau and len(truth) <= _LARGEST_PAIRWISE:
        return _resampled_tau(truth, predicted, rows)
    return np.array([metric(truth[drawn], predicted[drawn]) for drawn in rows], dtype=np.float64)


def _resampled_tau(truth: Floats, predicted: Floats, rows: NDArray[np.int64]) -> Floats:
    """Kendall's tau-b of all resamplings at once.

    With ``c_i`` how often row i is drawn and ``S_ij = sign(x_i - x_j)``, tau-b is
    ``c (S S') c / sqrt(c |S| c * c |S'| c)``: two copies of a row are tied in both.
    """
    counts = np.zeros((len(rows), len(truth)))
    np.add.at(counts, (np.arange(len(rows))[:, None], rows), 1.0)
    signs = [np.sign(vector[:, None] - vector[None, :]) for vector in (truth, predicted)]
    agree = np.einsum("sn,sn->s", counts @ (signs[0] * signs[1]), counts)
    untied = [np.einsum("sn,sn->s", counts @ np.abs(sign), counts) for sign in signs]
    below = np.sqrt(untied[0] * untied[1])
    return np.asarray(np.where(below > 0, agree / np.where(below > 0, below, 1.0), 0.0), dtype=np.float64)


def _percentiles(drawn: Floats, confidence: float) -> tuple[float, float]:
    tail = 100 * (1 - confidence) / 2
    low, high = np.percentile(drawn, [tail, 100 - tail])
    return float(low), float(high)
