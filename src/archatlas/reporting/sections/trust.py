"""How true the scores are: the audit."""

from __future__ import annotations

from typing import Any

from archatlas.reporting import sentences
from archatlas.reporting.blocks import Chart, Section, Text
from archatlas.reporting.figures.ranking import figure_accuracy_histogram, figure_rank_correlation
from archatlas.reporting.run import Run
from archatlas.reporting.words import words_of
from archatlas.signals.audit import reference


def trust_section(run: Run) -> Section | None:
    if not run.has_atlas:
        return None
    words = words_of(run)
    counted, held_against = sentences.against_params(run.audit_summary), reference(run.audit_summary)
    half_time = sentences.half_time(run.audit_summary)
    blocks: list[Any] = [Text(words.audit)]
    if run.audit_summary.get("count"):
        blocks.append(
            Chart(
                "rank-correlation",
                figure_rank_correlation(run.audit_summary),
                f"Kendall tau-b of predictor, super-network and controls with {held_against}",
                f"Rank correlation with {held_against}",
            )
        )
    blocks += [Text(text) for text in (counted, half_time) if text]
    if len(run.audit):
        blocks.append(
            Chart(
                "accuracy-histogram",
                figure_accuracy_histogram(run.audit, words.truth_title),
                "Histogram of the accuracies of the audit networks",
                "How far apart the networks are",
            )
        )
        spread = sentences.spread(run.audit_summary)
        if spread:
            blocks.append(Text(spread))
    return Section(
        "trust",
        "How true the scores are",
        words.trust,
        blocks,
    )
