"""Nodes of the report stage: figures for previews, metrics.json and the page."""

from __future__ import annotations

from typing import Any

import pandas as pd

from archatlas.reporting.parameters import ReportParameters
from archatlas.spaces.tables.parameters import TableParameters
from archatlas.verification.truth.parameters import TruthParameters

RUN_DATA = (
    "image_description",
    "class_counts",
    "split_files",
    "space_summary",
    "cost_table",
    "latency_table",
    "latency_check",
    "feasibility",
    "supernet_curves",
    "evaluations",
    "evaluation_speed",
    "predictor_scores",
    "tuning_trials",
    "tuning_summary",
    "calibrated_predictor",
    "calibration_summary",
    "atlas",
    "atlas_speed",
    "candidates",
    "pareto_front",
    "trainings",
    "verified_candidates",
    "winners",
    "test_predictions",
    "test_mistakes",
    "finishing_trainings",
    "schedule",
    "audit",
    "audit_summary",
    "export_summary",
    "truth_by_network",
    "truth_correlations",
    "truth_picks",
    "truth_summary",
    "signals",
    "manifest",
)
"""Data sets that the page shows: the fields of ``reporting.run.Run``, by their catalog names."""


def draw_atlas(
    atlas: pd.DataFrame,
    pareto_front: pd.DataFrame,
    winners: list[dict[str, Any]],
    verified_candidates: pd.DataFrame,
    report: ReportParameters,
) -> Any:
    """The atlas over MACs as a plotly figure."""
    from archatlas.reporting.figures.atlas import figure_atlas

    return figure_atlas(atlas, pareto_front, winners, verified_candidates, bins=report.atlas_bins)


def collect_signals(
    evaluations: pd.DataFrame,
    class_counts: pd.DataFrame,
    image_description: dict[str, Any],
    predictor_scores: pd.DataFrame,
    tuning_summary: dict[str, Any],
    calibrated_predictor: dict[str, Any],
    atlas: pd.DataFrame,
    audit_summary: dict[str, Any],
    winners: list[dict[str, Any]],
    table: TableParameters | None,
    truth: TruthParameters | None,
) -> list[dict[str, str]]:
    """What the stages logged against the run's own results, once more from its tables."""
    from archatlas.predictors.make import scores_learned
    from archatlas.signals.collect import collect_signals as collect

    found = collect(
        evaluations=evaluations,
        class_counts=class_counts,
        image_description=image_description,
        predictor_scores=predictor_scores,
        tuning_summary=tuning_summary,
        atlas=atlas,
        audit_summary=audit_summary,
        winners=winners,
        target=scores_learned(calibrated_predictor),
        looked_up=table is not None or truth is not None,
    )
    return [signal.document() for signal in found]


def draw_rank_correlation(audit_summary: dict[str, Any]) -> Any:
    """Rank correlations of the audit as a plotly figure."""
    from archatlas.reporting.figures.ranking import figure_rank_correlation

    return figure_rank_correlation(audit_summary)


def draw_learning_curves(supernet_curves: pd.DataFrame) -> Any:
    """The super-network's learning curves as a plotly figure."""
    from archatlas.reporting.figures.training import figure_learning_curves

    return figure_learning_curves(supernet_curves)


def draw_choice_importance(
    atlas: pd.DataFrame, search_space: dict[str, Any], calibrated_predictor: dict[str, Any]
) -> Any:
    """Which choice matters at which position, as a plotly figure."""
    from archatlas.reporting.figures.choices import choice_importance, figure_choice_importance, position_title
    from archatlas.spaces.search_space import read_space

    made = read_space(search_space)
    target = calibrated_predictor.get("target", "accuracy")
    return figure_choice_importance(choice_importance(atlas, made), target=target, positions=position_title(made))


def write_metrics(
    space_summary: dict[str, Any],
    evaluations: pd.DataFrame,
    evaluation_speed: dict[str, Any],
    tuning_summary: dict[str, Any],
    atlas_speed: dict[str, Any],
    audit_summary: dict[str, Any],
    truth_summary: dict[str, Any],
    winners: list[dict[str, Any]],
    export_summary: dict[str, Any],
    signals: list[dict[str, str]],
    manifest: dict[str, Any],
) -> dict[str, Any]:
    """metrics.json."""
    from archatlas.reporting.metrics import collect_metrics

    return collect_metrics(
        space_summary=space_summary,
        evaluations=evaluations,
        evaluation_speed=evaluation_speed,
        tuning_summary=tuning_summary,
        atlas_speed=atlas_speed,
        audit_summary=audit_summary,
        truth_summary=truth_summary,
        winners=winners,
        export_summary=export_summary,
        signals=signals,
        manifest=manifest,
    )


def write_report(
    parameters: dict[str, Any],
    experiment: str,
    seed: int,
    search_space: dict[str, Any],
    report: ReportParameters,
    **run_data: Any,
) -> str:
    """The page as HTML; ``run_data`` are the data sets of ``RUN_DATA``."""
    from archatlas.reporting.page import render_page
    from archatlas.reporting.run import Run
    from archatlas.spaces.search_space import read_space

    run = Run(
        parameters=parameters,
        experiment=experiment,
        seed=seed,
        space=read_space(search_space),
        report=report,
        **run_data,
    )
    return render_page(run)
