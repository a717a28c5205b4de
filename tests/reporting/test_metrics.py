from __future__ import annotations

import inspect
import json
from typing import Any

import pytest

from archatlas.reporting.metrics import collect_metrics

ARGUMENTS = tuple(inspect.signature(collect_metrics).parameters)


def test_metrics_hold_the_promised_keys(run_data: dict[str, Any]) -> None:
    metrics = collect_metrics(**{name: run_data[name] for name in ARGUMENTS})
    assert metrics["space"]["networks"] == 141_120
    assert metrics["supernet"] == {"seconds": 83.0}
    assert metrics["evaluations"] == {"count": 2400, "architectures_per_second": 66.7}
    assert metrics["predictor"] == {
        "name": "gcn",
        "kendall_tau": 0.655,
        "baselines": {"ridge": 0.638, "lightgbm": 0.601, "macs": 0.41, "params": 0.382},
    }
    assert metrics["audit"]["count"] == 44
    assert metrics["audit"]["tau_difference_ci"] == [0.01, 0.17]
    assert (metrics["audit"]["epochs"], metrics["audit"]["tau_half_time"]) == (4, 0.66)
    assert metrics["signals"] == []
    assert {"tau_supernet_ci", "tau_predictor_ci", "tau_params", "tau_ceiling"} <= set(metrics["audit"])
    assert metrics["atlas"]["rows"] == 3000
    assert [winner["budget"] for winner in metrics["winners"]] == ["small", "medium", "large"]
    promised = {
        "budget", "architecture", "predicted", "test_accuracy_mean", "test_accuracy_std", "random_accuracy_mean",
        "mobilenet_accuracy_mean", "macs", "params", "latency_ms",
    }  # fmt: skip
    assert promised <= set(metrics["winners"][0])
    recalls = [[0.99 - 0.012 * digit + 0.004 * budget for digit in range(10)] for budget in range(3)]
    balanced = [winner["balanced_accuracy"] for winner in metrics["winners"]]
    assert balanced == pytest.approx([sum(of_budget) / 10 for of_budget in recalls])
    assert metrics["export"]["max_abs_difference"] == 3.1e-6
    assert metrics["seconds_total"] == pytest.approx(294.2)
    json.dumps(metrics, allow_nan=False)


def test_metrics_hold_the_comparison_with_the_truth(run_data: dict[str, Any]) -> None:
    scorers = {"predictor": {"kendall_tau": 0.8, "by_seed": {"kendall_tau": {"mean": 0.7, "std": float("nan")}}}}
    truth = {"table": "nas_bench_macro", "networks": 3969, "scorers": scorers, "ceilings": {}, "best": 10}
    metrics = collect_metrics(**{name: {**run_data, "truth_summary": truth}[name] for name in ARGUMENTS})
    assert metrics["truth"]["networks"] == 3969
    assert metrics["truth"]["optimum"] is None
    assert metrics["truth"]["scorers"]["predictor"]["by_seed"]["kendall_tau"] == {"mean": 0.7, "std": None}
    without = collect_metrics(**{name: run_data[name] for name in ARGUMENTS})
    assert without["truth"].keys() == metrics["truth"].keys()
    assert set(without["truth"].values()) == {None}


def test_a_run_without_audit_tuning_or_winner_has_nulls(run_data: dict[str, Any]) -> None:
    changed = {
        "audit_summary": {},
        "tuning_summary": {},
        "export_summary": {},
        "manifest": {},
        "winners": [{"budget": "small", "status": "none", "predicted": float("nan")}],
    }
    metrics = collect_metrics(**{name: {**run_data, **changed}[name] for name in ARGUMENTS})
    assert metrics["audit"]["count"] == 0
    assert metrics["audit"]["tau_predictor"] is None
    assert metrics["predictor"]["baselines"] == dict.fromkeys(("ridge", "lightgbm", "macs", "params"))
    assert metrics["winners"][0]["predicted"] is None
    assert metrics["winners"][0]["balanced_accuracy"] is None
    assert metrics["seconds_total"] is None
    json.dumps(metrics, allow_nan=False)
