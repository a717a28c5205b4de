"""Nodes of the report stage: figures for previews, metrics.json and the page."""

from __future__ import annotations

from typing import Any

import pandas as pd

from archatlas.kedro_ext.dependencies import depends_on
from archatlas.pipelines.evidence import EVIDENCE, of_whichever_ran
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
    "signals",
    "manifest",
)
"""Data sets that the page shows: the fields of ``reporting.run.Run``, by their catalog names."""

IF_MADE = (
    "supernet_curves", "method_comparison", "nasi_sweep", "meta_graph_of_gram", "pruned_of_gram",
    "embedding_of_nasgem", "embedding_pairs_of_nasgem", "detection_summary", "detection_scores", "detections",
    "test_scenes",
)  # fmt: skip
"""The same of what not every run makes: super-networks, searches of methods, detectors."""


ATLAS_FROM = ("atlas",)
CHOICES_FROM = ("atlas", "calibrated_predictor")
SIGNALS_FROM = ("evaluations", "predictor_scores", "tuning_summary", "calibrated_predictor", "atlas")
METRICS_FROM = (
    "evaluations", "evaluation_speed", "tuning_summary", "calibrated_predictor", "atlas_speed", "truth_summary",
)  # fmt: skip
"""Of the evidence (``pipelines/evidence.py``), what each node reads."""

PAGE_FROM = (
    "evaluations", "evaluation_speed", "predictor_scores", "tuning_trials", "tuning_summary", "calibrated_predictor",
    "calibration_summary", "atlas", "atlas_speed", "truth_by_network", "truth_correlations", "truth_picks",
    "truth_summary",
)  # fmt: skip


@depends_on(optional=EVIDENCE)
def draw_atlas(
    pareto_front: pd.DataFrame,
    winners: list[dict[str, Any]],
    verified_candidates: pd.DataFrame,
    report: ReportParameters,
    **evidence: Any,
) -> Any:
    """The atlas over MACs as a plotly figure."""
    from archatlas.reporting.figures.atlas import figure_atlas

    atlas = of_whichever_ran(evidence, ATLAS_FROM, or_nothing=True)["atlas"]
    return figure_atlas(atlas, pareto_front, winners, verified_candidates, bins=report.atlas_bins)


@depends_on(optional=EVIDENCE)
def collect_signals(
    class_counts: pd.DataFrame,
    image_description: dict[str, Any],
    audit_summary: dict[str, Any],
    winners: list[dict[str, Any]],
    schedule: dict[str, Any],
    table: TableParameters | None,
    truth: TruthParameters | None,
    **evidence: Any,
) -> list[dict[str, str]]:
    """What the stages logged against the run's own results, once more from its tables."""
    from archatlas.predictors.make import scores_learned
    from archatlas.signals.collect import collect_signals as collect

    given = of_whichever_ran(evidence, SIGNALS_FROM, or_nothing=True)
    predictor = given.pop("calibrated_predictor")
    target = scores_learned(predictor) if predictor else "accuracy"
    found = collect(
        **given,
        class_counts=class_counts,
        image_description=image_description,
        audit_summary=audit_summary,
        winners=winners,
        schedule=schedule,
        target=target,
        looked_up=table is not None or truth is not None,
    )
    return [signal.document() for signal in found]


def draw_rank_correlation(audit_summary: dict[str, Any]) -> Any:
    """Rank correlations of the audit as a plotly figure."""
    from archatlas.reporting.figures.ranking import figure_rank_correlation

    return figure_rank_correlation(audit_summary)


@depends_on(optional=("supernet_curves",))
def draw_learning_curves(supernet_curves: pd.DataFrame | None = None) -> Any:
    """The super-network's learning curves as a plotly figure."""
    from archatlas.reporting.figures.training import figure_learning_curves

    return figure_learning_curves(pd.DataFrame() if supernet_curves is None else supernet_curves)


@depends_on(optional=EVIDENCE)
def draw_choice_importance(search_space: dict[str, Any], **evidence: Any) -> Any:
    """Which choice matters at which position, as a plotly figure."""
    from archatlas.reporting.figures.choices import choice_importance, figure_choice_importance, position_title
    from archatlas.spaces.search_space import read_space

    made = read_space(search_space)
    given = of_whichever_ran(evidence, CHOICES_FROM, or_nothing=True)
    target = given["calibrated_predictor"].get("target", "accuracy")
    return figure_choice_importance(
        choice_importance(given["atlas"], made), target=target, positions=position_title(made)
    )


@depends_on(optional=EVIDENCE)
def write_metrics(
    space_summary: dict[str, Any],
    audit_summary: dict[str, Any],
    winners: list[dict[str, Any]],
    export_summary: dict[str, Any],
    signals: list[dict[str, str]],
    manifest: dict[str, Any],
    **evidence: Any,
) -> dict[str, Any]:
    """metrics.json."""
    from archatlas.reporting.metrics import collect_metrics

    given = of_whichever_ran(evidence, METRICS_FROM, or_nothing=True)
    del given["calibrated_predictor"]  # Of segments it says which predictor was configured.
    return collect_metrics(
        **given,
        space_summary=space_summary,
        audit_summary=audit_summary,
        winners=winners,
        export_summary=export_summary,
        signals=signals,
        manifest=manifest,
    )


@depends_on(optional=(*EVIDENCE, *IF_MADE))
def write_report(
    parameters: dict[str, Any],
    experiment: str,
    seed: int,
    search_space: dict[str, Any],
    report: ReportParameters,
    **run_data: Any,
) -> str:
    """The page as HTML; ``run_data`` are the data sets of ``RUN_DATA`` and the evidence."""
    from archatlas.reporting.page import render_page
    from archatlas.reporting.run import Run
    from archatlas.spaces.search_space import read_space

    given = {name: value for name, value in run_data.items() if name in (*RUN_DATA, *IF_MADE)}
    given |= of_whichever_ran(run_data, PAGE_FROM, or_nothing=True)
    run = Run(
        parameters=parameters,
        experiment=experiment,
        seed=seed,
        space=read_space(search_space),
        report=report,
        **given,
    )
    return render_page(run)
