from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from archatlas.spaces.presets import preset
from archatlas.verification.audit import draw_audit, summarise, truths
from archatlas.verification.parameters import AuditParameters

SPACE = preset("nas_bench_macro", (3, 32, 32), 10)


def test_networks_of_the_fit_are_never_drawn() -> None:
    fitted = SPACE.names(SPACE.sample(3960, np.random.default_rng(1))).tolist()
    drawn = SPACE.names(draw_audit(SPACE, 5, fitted, np.random.default_rng(0))).tolist()
    assert len(set(drawn)) == 5
    assert not set(drawn) & set(fitted)
    assert len(draw_audit(SPACE, 40, fitted, np.random.default_rng(0))) == 3969 - 3960


def test_truth_is_the_mean_over_seeds_and_higher_for_the_better() -> None:
    trainings = pd.DataFrame(
        {
            "network": ["b", "b", "a", "a"],
            "seed": [7, 3, 7, 3],
            "validation_accuracy": [0.5, 0.7, 0.9, 0.9],
            "validation_log_loss": [2.0, 1.0, 0.5, 0.25],
        }
    )
    table = truths(trainings, "accuracy")
    assert table.index.tolist() == ["b", "a"]
    assert table["truth"].tolist() == pytest.approx([0.6, 0.9])
    assert table["truth_seed_0"].tolist() == [0.7, 0.9]
    losses = truths(trainings, "log_loss")
    assert losses["truth"].tolist() == pytest.approx([-1.5, -0.375])
    assert losses["validation_accuracy_mean"].tolist() == pytest.approx([0.6, 0.9])


def test_half_time_is_averaged_and_signed_as_truth_is() -> None:
    trainings = pd.DataFrame(
        {
            "network": ["b", "b", "a", "a"],
            "seed": [7, 3, 7, 3],
            "validation_accuracy": [0.5, 0.7, 0.9, 0.9],
            "validation_log_loss": [2.0, 1.0, 0.5, 0.25],
            "validation_accuracy_at_half": [0.25, 0.75, 0.5, 0.0],
            "validation_log_loss_at_half": [3.0, 2.0, 1.0, 1.0],
        }
    )
    assert truths(trainings, "accuracy")["truth_at_half"].tolist() == [0.5, 0.25]
    assert truths(trainings, "log_loss")["truth_at_half"].tolist() == [-2.5, -1.0]
    assert "truth_at_half" not in truths(trainings.iloc[:, :4], "accuracy")


def test_the_order_at_half_time_is_held_against_that_at_the_end() -> None:
    audit = pd.DataFrame({"predicted_score": [1.0, 2.0, 3.0, 4.0], "truth": [0.1, 0.2, 0.3, 0.4]})
    asked = AuditParameters.model_validate({"bootstrap_samples": 50, "training": {"epochs": 8}})
    reversed_order = summarise(audit.assign(truth_at_half=[0.4, 0.3, 0.2, 0.1]), asked, 0)
    assert reversed_order["tau_half_time"] == pytest.approx(-1)
    assert reversed_order["epochs"] == 8
    assert reversed_order["tau_half_time_ci"][1] <= 0
    unknown = summarise(audit.assign(truth_at_half=np.nan), asked, 0)
    assert (unknown["tau_half_time"], unknown["tau_half_time_ci"], unknown["epochs"]) == (None, None, 8)
    looked_up = summarise(audit, asked, 0)
    assert (looked_up["tau_half_time"], looked_up["epochs"]) == (None, None)


def test_the_summary_by_hand() -> None:
    audit = pd.DataFrame(
        {
            "supernet_score": [1.0, 3.0, 2.0, 4.0],
            "predicted_score": [1.0, 2.0, 3.0, 4.0],
            "params": [4, 3, 2, 1],
            "macs": [1, 1, 1, 1],
            "truth": [0.1, 0.2, 0.3, 0.4],
            "truth_seed_0": [0.1, 0.2, 0.3, 0.4],
            "truth_seed_1": [0.1, 0.3, 0.2, 0.4],
            "validation_accuracy_mean": [0.0, 1.0, 0.5, 0.5],
        }
    )
    summary = summarise(audit, AuditParameters(bootstrap_samples=200), 0)
    assert summary["count"] == 4
    assert summary["tau_predictor"] == pytest.approx(1)
    assert summary["tau_supernet"] == pytest.approx(4 / 6)  # 5 pairs in order, 1 not
    assert summary["tau_params"] == pytest.approx(-1)
    assert summary["tau_macs"] == 0
    assert summary["tau_difference"] == pytest.approx(2 / 6)
    assert summary["tau_ceiling"] == pytest.approx(4 / 6)
    assert (summary["spread_p10"], summary["spread_p90"]) == pytest.approx((0.15, 0.85))
    low, high = summary["tau_difference_ci"]
    assert low <= 2 / 6 <= high
    assert summary == summarise(audit, AuditParameters(bootstrap_samples=200), 0)


def test_too_few_networks_tell_nothing() -> None:
    columns = ["supernet_score", "predicted_score", "params", "macs", "truth", "validation_accuracy_mean"]
    summary = summarise(pd.DataFrame({column: [] for column in columns}), AuditParameters(), 0)
    assert summary["count"] == 0
    assert summary["tau_predictor"] is None
    assert summary["tau_difference_ci"] is None
