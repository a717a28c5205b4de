from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from archatlas.reporting import sentences


def _audit(**changes: Any) -> dict[str, Any]:
    return {"count": 40, "tau_supernet": 0.5, "tau_predictor": 0.6, "tau_difference": 0.1} | changes


@pytest.mark.parametrize(
    ("summary", "said"),
    [
        (_audit(tau_difference_ci=[0.01, 0.2]), "ranks networks better than the super-network's raw scores"),
        (_audit(tau_difference_ci=[-0.3, -0.1], tau_difference=-0.2), "ranks networks worse"),
        (
            _audit(tau_difference_ci=[-0.05, 0.2]),
            "ahead of the super-network's raw scores, but the difference is within",
        ),
        (_audit(tau_difference_ci=[-0.2, 0.05], tau_difference=-0.1), "behind the super-network's"),
        (_audit(tau_difference_ci=[0.0, 0.0], tau_difference=0.0), "rank alike"),
        (_audit(count=2), "too small to say"),
        ({"count": 0}, "There was no audit"),
        ({}, "There was no audit"),
    ],
)
def test_the_paired_interval_decides(summary: dict[str, Any], said: str) -> None:
    assert said in sentences.predictor_against_supernet(summary)


def _scores(gcn: list[float], ridge: list[float]) -> pd.DataFrame:
    rows = [
        (name, "cross_seed", fold, 0, 1, tau)
        for name, taus in (("gcn", gcn), ("ridge", ridge))
        for fold, tau in enumerate(taus)
    ]
    rows += [("gcn", "same_seed", 0, 0, 0, 1.0), ("ridge", "same_seed", 0, 0, 0, 0.0)]
    return pd.DataFrame(rows, columns=["predictor", "protocol", "fold", "fit_seed", "score_seed", "kendall_tau"])


def test_gcn_against_ridge_is_paired_and_cross_seed() -> None:
    won = sentences.gcn_against(_scores([0.6, 0.62, 0.61], [0.5, 0.53, 0.51]))
    assert won.startswith("The GCN (default settings) beats the additive ridge (tau 0.61 against 0.51")
    assert "ahead in 3 of 3 splits" in won
    lost = sentences.gcn_against(_scores([0.5, 0.53, 0.51], [0.6, 0.62, 0.61]))
    assert "does not beat the additive ridge: it is worse" in lost
    even = sentences.gcn_against(_scores([0.6, 0.5, 0.61], [0.5, 0.6, 0.6]))
    assert "does not clearly beat" in even
    assert sentences.gcn_against(_scores([0.6], [])) == ""


def test_a_baseline_that_wins_is_named() -> None:
    summary = {
        "family": "gcn",
        "inner_kendall_tau": 0.7,
        "outer_kendall_tau": 0.5,
        "outer_baselines": {"ridge": 0.6, "macs": 0.3},
    }
    text = sentences.tuned_sentence(summary)
    assert "ridge 0.60, macs 0.30" in text
    assert "At least one baseline does as well or better" in text


def test_params_alone_may_win() -> None:
    assert "would rank at least as well as" in sentences.against_params(_audit(tau_params=0.65))
    assert "ranks less well than" in sentences.against_params(_audit(tau_params=0.2, tau_macs=0.3))


@pytest.mark.parametrize(
    ("images", "said"), [([10, 10], "balanced: the largest has 1.0"), ([50, 10], "imbalanced"), ([5, 0], "no training")]
)
def test_imbalance(images: list[int], said: str) -> None:
    counts = pd.DataFrame({"split": "train", "class_name": ["a", "b"], "images": images})
    assert said in sentences.imbalance(counts)


def test_latency_error() -> None:
    check = pd.DataFrame({"predicted_latency_ms": [1.1, 0.8], "measured_latency_ms": [1.0, 1.0]})
    assert sentences.latency_error(check) == (
        "Over 2 networks the prediction is off by 15.0% in the median and by 20.0% at worst."
    )


def test_coverage_follows_the_parameters() -> None:
    assert sentences.coverage({"verification": {"audit": {"confidence": 0.9}}}) == "90%"
    assert sentences.coverage({}) == "95%"
