"""The run in numbers that a program reads: metrics.json."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from archatlas.reporting.class_results import balanced_accuracy
from archatlas.reporting.manifest import stages_table
from archatlas.scorers.registry import audited_scorers

_WINNER = (
    "budget",
    "status",
    "architecture",
    "predicted",
    "supernet_accuracy",
    "validation_accuracy_mean",
    "role",
    "method",
    "exported_accuracy",
    "exported_accuracy_ci",
    "int8_accuracy",
    "test_accuracy_mean",
    "test_accuracy_std",
    "random_accuracy_mean",
    "mobilenet_accuracy_mean",
    "macs",
    "params",
    "latency_ms",
    "latency_upper_quartile_ms",
    "best_accuracy",
    "accuracy_gap",
    "accuracy_rank",
    "networks_in_budget",
)
_AUDIT = (
    "count",
    "truth",
    *(f"tau_{name}{part}" for name in audited_scorers() for part in ("", "_ci")),
    "tau_difference",
    "tau_difference_ci",
    "tau_ceiling",
    "tau_ceiling_ci",
    "spread_p10",
    "spread_p90",
    "epochs",
    "tau_half_time",
    "tau_half_time_ci",
)
_BASELINES = ("ridge", "lightgbm", "macs", "params")
_TRUTH = ("table", "accuracy", "networks", "fitted", "optimum", "ceilings", "scorers")


def collect_metrics(
    *,
    space_summary: Mapping[str, Any],
    evaluations: pd.DataFrame,
    evaluation_speed: Mapping[str, Any],
    tuning_summary: Mapping[str, Any],
    atlas_speed: Mapping[str, Any],
    audit_summary: Mapping[str, Any],
    truth_summary: Mapping[str, Any],
    winners: Sequence[Mapping[str, Any]],
    export_summary: Mapping[str, Any],
    signals: Sequence[Mapping[str, Any]],
    manifest: Mapping[str, Any],
) -> dict[str, Any]:
    """Nested metrics, the same keys in every run; null where a run has no such figure.

    ``predictor.kendall_tau`` and its baselines are cross-seed scores on what the tuning study has not seen. Seconds are
    those of the run that made the stage's results, None for a stage that the manifest does not name. ``truth`` is the
    comparison with a public table (``verification.truth.comparison.summarise``). ``signals`` is what the run says
    against itself (``signals.signal.Signal``), none if all is well.
    """
    stages = stages_table(manifest).set_index("stage")["seconds"]
    baselines = tuning_summary.get("outer_baselines") or {}
    metrics = {
        "space": {key: space_summary.get(key) for key in ("name", "size", "networks")},
        "supernet": {"seconds": stages.get("train_supernet")},
        "evaluations": {
            "count": len(evaluations),
            "architectures_per_second": evaluation_speed.get("architectures_per_second"),
        },
        "predictor": {
            "name": tuning_summary.get("family"),
            "kendall_tau": tuning_summary.get("outer_kendall_tau"),
            "baselines": {**dict.fromkeys(_BASELINES), **baselines},
        },
        "audit": {**{key: audit_summary.get(key) for key in _AUDIT}, "count": audit_summary.get("count") or 0},
        "truth": {key: truth_summary.get(key) for key in _TRUTH},
        "atlas": {
            "rows": atlas_speed.get("rows"),
            "architectures_per_second": atlas_speed.get("architectures_per_second"),
            "peak_memory_mib": atlas_speed.get("peak_memory_mib"),
        },
        "winners": [
            {**{key: winner.get(key) for key in _WINNER}, "balanced_accuracy": balanced_accuracy(winner)}
            for winner in winners
        ],
        "signals": list(signals),
        "export": {"max_abs_difference": export_summary.get("max_abs_difference")},
        "seconds_total": float(stages.sum()) if len(stages) else None,
    }
    plain: dict[str, Any] = _plain(metrics)
    return plain


def _plain(value: Any) -> Any:
    """Only what strict JSON holds: NaN and infinities become null, NumPy scalars Python numbers."""
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
