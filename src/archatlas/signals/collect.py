"""All checks on the catalogued tables of a finished run, in the order of the stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from archatlas.signals.audit import audit_too_small, audit_unsettled
from archatlas.signals.predictor import constant_predictions, fitted_no_better, tuned_no_better
from archatlas.signals.schedule import beyond_the_time
from archatlas.signals.signal import Signal, given
from archatlas.signals.supernet import near_majority, scores_disagree
from archatlas.signals.winners import winner_signals

if TYPE_CHECKING:
    from archatlas.storage.table_file import AnyTable

Json = Mapping[str, Any]


def collect_signals(
    *,
    evaluations: pd.DataFrame,
    class_counts: pd.DataFrame,
    image_description: Json,
    predictor_scores: pd.DataFrame,
    tuning_summary: Json,
    atlas: AnyTable,
    audit_summary: Json,
    winners: Sequence[Json],
    schedule: Json,
    target: str,
    looked_up: bool,
) -> list[Signal]:
    """The signals of a run, broken ones first.

    Args:
        evaluations: of the sample; from a public table too.
        class_counts: images by split and class; empty where nothing was trained.
        image_description: with the images of each split.
        predictor_scores: of all predictors out of fold.
        tuning_summary: of the study; without an outer loop the table of scores counts.
        atlas: predictions and predicted_std.
        audit_summary: of ``verification.audit.summarise``.
        winners: a document per budget.
        schedule: of a time budget; empty without one.
        target: the score that the predictor learned.
        looked_up: whether accuracies of networks alone are those of a public table, made with other images than ours.
    """
    scheduled = bool(schedule)
    family = str(tuning_summary.get("family"))
    studied = bool(tuning_summary.get("outer_difference_to"))
    signals = [
        *given(
            beyond_the_time(schedule),
            near_majority(evaluations, class_counts, scheduled=scheduled),
            scores_disagree(evaluations, target, scheduled=scheduled) if len(evaluations) else None,
            tuned_no_better(tuning_summary, scheduled=scheduled)
            if studied
            else fitted_no_better(predictor_scores, family, scheduled=scheduled),
            constant_predictions(atlas, scheduled=scheduled),
            audit_too_small(audit_summary, scheduled=scheduled),
            audit_unsettled(audit_summary, scheduled=scheduled),
        ),
        *winner_signals(winners, None if looked_up else image_description, class_counts, scheduled=scheduled),
    ]
    return sorted(signals, key=lambda signal: signal.level != "broken")
