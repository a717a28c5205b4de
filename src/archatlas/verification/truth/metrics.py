"""How well a score ranks networks by their true accuracy, and how well any score could."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from archatlas.predictors.metrics import kendall_tau, kendall_tau_top_half, spearman

Floats = NDArray[np.float64]


def kendall_tau_top_tenth(truth: Floats, score: Floats) -> float:
    """Kendall's tau-b among those whose truth is at least the 90th percentile of the truth, all ``[n]``."""
    top = truth >= np.quantile(truth, 0.9) if len(truth) else np.zeros(0, dtype=np.bool_)
    return kendall_tau(truth[top], score[top])


CORRELATIONS: Mapping[str, Callable[[Floats, Floats], float]] = {
    "kendall_tau": kendall_tau,
    "spearman": spearman,
    "kendall_tau_top_half": kendall_tau_top_half,
    "kendall_tau_top_tenth": kendall_tau_top_tenth,
}
"""By column: functions of truth and score ``[n]``, higher is better in both."""


def true_ranks(truth: Floats) -> Floats:
    """For each of ``[n]``: 1 and how many are truer; equal ones share the best of their ranks."""
    ordered = np.sort(-truth)
    return np.asarray(1 + np.searchsorted(ordered, -truth, side="left"), dtype=np.float64)


def mean_of_best(score: Floats, values: Floats, count: int) -> float:
    """Mean of ``values`` over the ``count`` rows with the highest score; NaN of no rows.

    Where scores are equal at the border, it is the mean over all ways to choose among them: an accuracy on a few
    thousand images has many ties, and their order in a table must not decide.

    Args:
        score: ``[n]``, higher is better.
        values: ``[n]``.
        count: at least 1; all rows if there are fewer.
    """
    if not len(score):
        return float("nan")
    count = min(count, len(score))
    border = np.sort(score)[-count]
    above, at = score > border, score == border
    left = count - int(above.sum())
    return float((values[above].sum() + left * values[at].mean()) / count)


def ceilings(trainings: Floats) -> dict[str, float]:
    """How well perfect knowledge of some trainings ranks networks by another: Kendall's tau-b, over all and the top.

    Args:
        trainings: true accuracies ``[n, trainings]`` of ``n`` networks; NaN where there is none.

    Returns:
        one_training_another, one_training_rest (against the mean of the others; from three trainings on), and both
        within the half of the networks that is truest by the mean of all trainings (``..._top_half``), averaged over
        the choices of trainings. Empty for a single training.
    """
    known = trainings[np.isfinite(trainings).all(axis=1)]
    count = known.shape[1]
    if count < 2 or len(known) < 2:
        return {}
    mean = known.mean(axis=1)
    found: dict[str, float] = {}
    for part, rows in (("", known), ("_top_half", known[mean >= np.median(mean)])):
        pairs = [kendall_tau(rows[:, one], rows[:, other]) for one, other in permutations(range(count), 2)]
        found[f"one_training_another{part}"] = float(np.mean(pairs))
        if count > 2:
            rest = [kendall_tau(rows[:, one], np.delete(rows, one, axis=1).mean(axis=1)) for one in range(count)]
            found[f"one_training_rest{part}"] = float(np.mean(rest))
    return found


def standard_error(trainings: Floats) -> float:
    """Standard error of a network's mean over its trainings ``[n, trainings]``: ``sqrt(mean_n(variance) / trainings)``.

    NaN for a single training.
    """
    known = trainings[np.isfinite(trainings).all(axis=1)]
    if known.shape[1] < 2 or not len(known):
        return float("nan")
    return float(np.sqrt(known.var(axis=1, ddof=1).mean() / known.shape[1]))
