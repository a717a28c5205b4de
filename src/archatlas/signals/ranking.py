"""What candidates are ranked by: predicted scores, or MACs where no score has a signal."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

import pandas as pd

from archatlas.search.enumeration import RankedBy
from archatlas.signals.predictor import constant_predictions
from archatlas.signals.signal import Signal, given, log_signals
from archatlas.signals.supernet import near_majority, scores_disagree

if TYPE_CHECKING:
    from archatlas.storage.table_file import AnyTable

_OF_EVALUATIONS = ("supernet_near_majority", "scores_disagree")
_OF_PREDICTIONS = "constant_predictions"


def signals_of_scores(
    evaluations: pd.DataFrame, class_counts: pd.DataFrame, atlas: AnyTable, target: str, *, scheduled: bool = False
) -> list[Signal]:
    """What speaks against ranking networks by predicted scores.

    Args:
        evaluations: of the sample on super-networks, or looked up in a public table.
        class_counts: split, class_name, images; empty where nothing was trained.
        atlas: predictions and predicted_std.
        target: the score that the predictor learned, accuracy or log_loss.
        scheduled: whether a time budget decides how super-networks are trained and how many networks scored.
    """
    return given(
        near_majority(evaluations, class_counts, scheduled=scheduled),
        scores_disagree(evaluations, target, scheduled=scheduled),
        constant_predictions(atlas, scheduled=scheduled),
    )


def ranked_by(signals: Iterable[Signal], *, calibrated: bool) -> RankedBy:
    """``macs`` where a predicted score has nothing behind it: of networks trained alone, larger ones tend to win.

    Args:
        signals: of ``signals_of_scores``.
        calibrated: whether the predictor learned from networks trained alone as well; then broken evaluations are not
            all that it has, and only constant predictions count.
    """
    decide = {_OF_PREDICTIONS, *(() if calibrated else _OF_EVALUATIONS)}
    broken = any(signal.level == "broken" and signal.name in decide for signal in signals)
    return "macs" if broken else "predicted_score"


def log_ranking(logger: logging.Logger, signals: Iterable[Signal], ranked_by: RankedBy) -> None:
    """Log what speaks against predictions, and why candidates are ranked by MACs, if so; the rest was logged before."""
    found = list(signals)
    log_signals(logger, [signal for signal in found if signal.name == _OF_PREDICTIONS])
    if ranked_by == "macs":
        broken = ", ".join(signal.name for signal in found if signal.level == "broken")
        logger.warning("search: candidates are ranked by MACs, since predicted scores have no signal (%s).", broken)
