"""Everything to one HTML page, metrics.json and a few figures."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node, pipeline

from archatlas.pipelines.evidence import evidence
from archatlas.pipelines.report.nodes import (
    ATLAS_FROM,
    CHOICES_FROM,
    IF_MADE,
    METRICS_FROM,
    PAGE_FROM,
    RUN_DATA,
    SIGNALS_FROM,
    collect_signals,
    draw_atlas,
    draw_choice_importance,
    draw_learning_curves,
    draw_rank_correlation,
    write_metrics,
    write_report,
)

_METRICS = ("space_summary", "audit_summary", "winners", "export_summary", "signals", "manifest")
_SIGNALS = ("class_counts", "image_description", "audit_summary", "winners", "schedule")


def create_pipeline(**_: object) -> Pipeline:
    """Figures, metrics and page; signals, which the two last need, first."""
    return pipeline(
        [
            node(
                collect_signals,
                inputs={
                    **{name: name for name in _SIGNALS},
                    **evidence(SIGNALS_FROM),
                    "table": "params:table",
                    "truth": "params:truth",
                },
                outputs="signals",
                name="collect_signals",
            ),
            node(
                draw_atlas,
                inputs={
                    **{name: name for name in ("pareto_front", "winners", "verified_candidates")},
                    "report": "params:report",
                    **evidence(ATLAS_FROM),
                },
                outputs="figure_atlas",
                name="draw_atlas",
            ),
            node(
                draw_rank_correlation,
                inputs="audit_summary",
                outputs="figure_rank_correlation",
                name="draw_rank_correlation",
            ),
            node(
                draw_learning_curves,
                inputs={"supernet_curves": "supernet_curves"},
                outputs="figure_learning_curves",
                name="draw_learning_curves",
            ),
            node(
                draw_choice_importance,
                inputs={"search_space": "search_space", **evidence(CHOICES_FROM)},
                outputs="figure_choice_importance",
                name="draw_choice_importance",
            ),
            node(
                write_metrics,
                inputs={**{name: name for name in _METRICS}, **evidence(METRICS_FROM)},
                outputs="metrics",
                name="write_metrics",
            ),
            node(
                write_report,
                inputs={
                    "parameters": "parameters",
                    "experiment": "params:experiment",
                    "seed": "params:seed",
                    "search_space": "search_space",
                    "report": "params:report",
                    **{name: name for name in (*RUN_DATA, *IF_MADE)},
                    **evidence(PAGE_FROM),
                },
                outputs="report_html",
                name="write_report",
            ),
        ]
    )
