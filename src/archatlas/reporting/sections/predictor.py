"""The predictor and its baselines."""

from __future__ import annotations

from typing import Any

from archatlas.reporting import sentences, tables
from archatlas.reporting.blocks import Chart, Section, TableBlock, Text
from archatlas.reporting.figures.training import figure_tuning
from archatlas.reporting.run import Run
from archatlas.reporting.words import words_of


def predictor_section(run: Run) -> Section | None:
    if not run.has_atlas:
        return None
    blocks: list[Any] = [
        Text(text)
        for text in (
            sentences.gcn_against(run.predictor_scores, "ridge"),
            sentences.gcn_against(run.predictor_scores, "params"),
            sentences.tuned_sentence(run.tuning_summary),
            sentences.calibrated_sentence(run.calibration_summary),
            sentences.untrained_sentence(run.predictor_scores),
        )
        if text
    ]
    if len(run.predictor_scores):
        blocks.append(
            TableBlock(tables.predictors_table(run.predictor_scores), "Predictors, mean ± std over the splits")
        )
    blocks.append(
        Chart("tuning", figure_tuning(run.tuning_trials), "Value of each trial of the tuning study", "Tuning history")
    )
    return Section(
        "predictor",
        "The predictor and its baselines",
        words_of(run).predictor,
        blocks,
    )
