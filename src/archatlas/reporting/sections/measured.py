"""Latency as measured against as predicted."""

from __future__ import annotations

from typing import Any

from archatlas.reporting.blocks import Chart, Section
from archatlas.reporting.figures.ranking import figure_predicted_against_measured
from archatlas.reporting.run import Run
from archatlas.reporting.words import words_of


def measured_section(run: Run) -> Section | None:
    if not run.has_atlas:
        return None
    words = words_of(run)
    titles = (words.truth_title, words.choice_title)
    results = (run.audit, run.verified_candidates, run.winners)
    blocks: list[Any] = [
        Chart(
            "predicted-measured",
            figure_predicted_against_measured(*results, target=run.target, titles=titles),
            "Scores against accuracies of the same networks trained alone",
        )
    ]
    return Section(
        "measured",
        "Predicted against measured",
        words.measured,
        blocks,
    )
