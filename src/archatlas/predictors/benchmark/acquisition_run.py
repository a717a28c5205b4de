"""One acquisition loop on a public table: how many true evaluations until the best of it has been evaluated.

This module imports neither the registry nor parameters (see ``row.py``).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archatlas.predictors.benchmark.acquisition import Policy, acquire
from archatlas.predictors.benchmark.data import BenchmarkData
from archatlas.predictors.protocol import Predictor

OUTCOME = ("found", "evaluations", "best_evaluated", "chosen_reported", "process_seconds")
"""Columns that :func:`run_loop` gives."""


def run_loop(
    data: BenchmarkData, make: Callable[[], Predictor], policy: Policy, most: int, seed: int
) -> dict[str, Any]:
    """Evaluate until a row of the best judged accuracy of the whole table is among the evaluated, or ``most`` are.

    The loop sees the accuracy that is learned and never the one that is judged.

    Returns:
        found; evaluations: all labels, the first ones among them, and of the last batch those up to that row;
        best_evaluated: the best judged accuracy among what had been evaluated after each evaluation;
        chosen_reported: the judged accuracy of what had the best learned accuracy by then, which is what a user, who
        sees no other, would hold in his hands; process_seconds.
    """
    started = time.process_time()
    everything = np.arange(len(data))
    learned = data.evaluations(everything)
    evaluated: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
    for rows in acquire(data.batch(everything), lambda rows: learned[rows], make, policy, seed):
        evaluated = np.concatenate([evaluated, rows])
        if len(evaluated) >= most or (data.truth[evaluated] == data.truth.max()).any():
            break
    evaluated = evaluated[:most]
    hits = np.flatnonzero(data.truth[evaluated] == data.truth.max())
    evaluated = evaluated[: hits[0] + 1] if len(hits) else evaluated
    highest = np.maximum.accumulate(learned.score[evaluated])
    latest = np.maximum.accumulate(np.where(learned.score[evaluated] == highest, np.arange(len(evaluated)), 0))
    return {
        "found": bool(len(hits)),
        "evaluations": len(evaluated),
        "best_evaluated": np.maximum.accumulate(data.truth[evaluated]).tolist(),
        "chosen_reported": data.truth[evaluated][latest].tolist(),
        "process_seconds": time.process_time() - started,
    }
