"""One row of the benchmark: a predictor fitted to some labels, judged by all that it did not see.

This module imports neither the registry nor parameters: its code and the predictor's own are what a row depends on, so
that another predictor can change without this one's rows being made again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archatlas.predictors.benchmark.data import BenchmarkData, Sets
from archatlas.predictors.metrics import kendall_tau, kendall_tau_top_half, spearman
from archatlas.predictors.protocol import Prediction, Predictor

Floats = NDArray[np.float64]

TOP = 50
INTERVALS = {"coverage_80": 1.2815515655446004, "coverage_95": 1.959963984540054}
"""Columns of coverage, and how many standard deviations each interval reaches to both sides."""


def precision_at_top(truth: Floats, predicted: Floats, top: int = TOP) -> float:
    """The share of the ``top`` rows predicted best that are among the ``top`` truly best.

    Truly best: as good as the row in place ``top`` or better, so that ties there all count. Of rows whose predictions
    tie at the boundary (twins do), each has the same chance of being taken: the value is the expectation. With fewer
    rows than twice ``top``, half of them take its place.
    """
    top = min(top, max(len(truth) // 2, 1))
    best = truth >= np.sort(truth)[-top]
    boundary = np.sort(predicted)[-top]
    above, tied = predicted > boundary, predicted == boundary
    chance = (top - above.sum()) / tied.sum()
    return float((best[above].sum() + chance * best[tied].sum()) / top)


def regret(truth: Floats, predicted: Floats) -> float:
    """The best truth less the truth of the row predicted best; the mean over rows that tie for it."""
    return float(truth.max() - truth[predicted == predicted.max()].mean())


RANKS: dict[str, Callable[[Floats, Floats], float]] = {
    "kendall_tau": kendall_tau,
    "spearman": spearman,
    "kendall_tau_top_half": kendall_tau_top_half,
    "precision_top_50": precision_at_top,
    "regret": regret,
}
"""Columns of the table, of truth and prediction; again with ``unseen_`` before them."""

MEASURED = (
    "judged_rows",
    *RANKS,
    "unseen_rows",
    *(f"unseen_{name}" for name in RANKS),
    "unseen_formula_rows",
    "unseen_formula_kendall_tau",
    *INTERVALS,
    "fit_seconds",
    "fit_process_seconds",
    "predict_seconds",
    "predict_process_seconds",
    "architectures_per_second",
)
"""Columns that :func:`measure` gives."""


def measure(predictor: Predictor, data: BenchmarkData, sets: Sets) -> dict[str, Any]:
    """Fit and predict from choices on, and say how well and how fast.

    Columns: those of ``RANKS`` over the rows that are judged; the same over those of networks that were not learned
    from (``unseen_``), and tau over those of formulas that were not (nan where the space knows none); the share of
    unseen rows whose accuracy, of the kind that was learned, lies in the central normal interval of the prediction.
    Seconds by the wall clock and of this process; graphs and features are made within them. Predicting is measured on
    all rows of the table.
    """
    everything = np.arange(len(data))
    fit: dict[str, float] = {}
    predict: dict[str, float] = {}
    batch = data.batch(sets.learned)
    with _stopwatch("fit", fit):
        predictor.fit(batch, data.evaluations(sets.learned))
    whole = data.batch(everything)
    with _stopwatch("predict", predict):
        predicted = predictor.predict(whole)
    rate = {"architectures_per_second": len(data) / max(predict["predict_seconds"], 1e-9)}
    return {**judge(predicted, data, sets), **fit, **predict, **rate}


def judge(predicted: Prediction, data: BenchmarkData, sets: Sets) -> dict[str, Any]:
    """The columns of :func:`measure` that are no times; ``predicted`` is of all rows of the table."""
    judged, mean = sets.judged, predicted.mean
    unseen = judged[~np.isin(data.networks[judged], data.networks[sets.learned])]
    formulas = data.formulas
    other = judged[:0] if formulas is None else judged[~np.isin(formulas[judged], formulas[sets.learned])]
    off = np.abs(data.evaluations(unseen).score - mean[unseen])
    return {
        "judged_rows": len(judged),
        **{name: _known(rank, data.truth[judged], mean[judged]) for name, rank in RANKS.items()},
        "unseen_rows": len(unseen),
        **{f"unseen_{name}": _known(rank, data.truth[unseen], mean[unseen]) for name, rank in RANKS.items()},
        "unseen_formula_rows": len(other),
        "unseen_formula_kendall_tau": _known(kendall_tau, data.truth[other], mean[other]),
        **{name: _known(_share_within, off, reach * predicted.std[unseen]) for name, reach in INTERVALS.items()},
    }


def _share_within(off: Floats, reach: Floats) -> float:
    return float((off <= reach).mean())


def _known(measure_of: Callable[[Floats, Floats], float], first: Floats, second: Floats) -> float:
    """The measure, or nan where there are no rows."""
    return measure_of(first, second) if len(first) else float("nan")


@contextmanager
def _stopwatch(name: str, seconds: dict[str, float]) -> Iterator[None]:
    wall, process = time.perf_counter(), time.process_time()
    yield
    seconds[f"{name}_seconds"] = time.perf_counter() - wall
    seconds[f"{name}_process_seconds"] = time.process_time() - process
