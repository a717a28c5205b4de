from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from archatlas.reporting import sentences


def _audit(**changes: Any) -> dict[str, Any]:
    known = {"count": 40, "tau_supernet": 0.5, "tau_supernet_ci": [0.3, 0.6], "tau_difference": 0.1}
    return known | {"tau_predictor": 0.6, "tau_predictor_ci": [0.4, 0.7]} | changes


@pytest.mark.parametrize(
    ("summary", "said"),
    [
        (_audit(tau_difference_ci=[0.01, 0.2]), "ranks networks better than the super-network's raw scores"),
        (_audit(tau_difference_ci=[-0.3, -0.1], tau_difference=-0.2), "ranks networks worse"),
        (_audit(tau_difference_ci=[-0.05, 0.2]), "This run cannot tell whether the predictor or"),
        (_audit(tau_difference_ci=[-0.2, 0.05], tau_difference=-0.1), "This run cannot tell whether the predictor or"),
        (_audit(tau_difference_ci=[0.0, 0.0], tau_difference=0.0), "includes zero (tau 0.60 (0.40 to 0.70) against"),
        (_audit(count=2), "too small to say"),
        (_audit(count=11, tau_difference_ci=[0.01, 0.2]), "too small to say"),
        (_audit(tau_predictor_ci=[0.1, 0.8], tau_difference_ci=[0.01, 0.2]), "too small to say"),
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
    assert "ahead in 3 of 3 folds" in won
    lost = sentences.gcn_against(_scores([0.5, 0.53, 0.51], [0.6, 0.62, 0.61]))
    assert "does not beat the additive ridge: it is worse" in lost
    even = sentences.gcn_against(_scores([0.6, 0.5, 0.61], [0.5, 0.6, 0.6]))
    assert "does not clearly beat" in even
    assert sentences.gcn_against(_scores([0.6], [])) == ""


def test_pairs_of_seeds_within_a_fold_are_no_evidence_of_their_own() -> None:
    folds = _scores([0.6, 0.5, 0.7], [0.52, 0.45, 0.5])
    repeated = [folds.assign(fit_seed=fit, score_seed=score) for fit in range(3) for score in range(3)]
    assert sentences.gcn_against(pd.concat(repeated)) == sentences.gcn_against(folds)
    assert "does not clearly beat the additive ridge" in sentences.gcn_against(folds)


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


def test_params_alone_may_win_and_only_intervals_that_stand_apart_tell() -> None:
    ahead = sentences.against_params(_audit(tau_params=0.8, tau_params_ci=[0.71, 0.9]))
    assert ahead.startswith("Ranking by params alone does better than the predictor (tau 0.80 (0.71 to 0.90) against")
    behind = _audit(tau_params=0.2, tau_params_ci=[0.0, 0.4], tau_macs=0.3, tau_macs_ci=[0.2, 0.39])
    assert "Ranking by MACs alone does less well than the predictor" in sentences.against_params(behind)
    assert sentences.against_params(behind).endswith(", the best of 2 controls).")
    unclear = _audit(tau_macs=0.3, tau_macs_ci=[0.1, 0.41])
    assert "cannot tell whether the predictor ranks better than MACs alone" in sentences.against_params(unclear)
    assert "cannot tell" in sentences.against_params(_audit(tau_macs=0.1))


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ((3, 3, 3), "Every budget has a winner."),
        ((2, 3, 2), "2 of 3 budgets have a winner."),
        ((0, 3, 0), "No network met any of the budgets."),
        ((3, 3, 0), "Every budget has a network that was chosen for it; that it is better than others of its budget, "
         "this run does not show."),
        ((2, 3, 1), "2 of 3 budgets have a network that was chosen for it; that it is better than others of its budget "
         "is shown for 1 of 2."),
    ],
)  # fmt: skip
def test_a_winner_is_what_is_shown_to_be_better(counts: tuple[int, int, int], said: str) -> None:
    assert sentences.verdict(*counts) == said


def test_half_time_stands_with_its_interval_or_not_at_all() -> None:
    summary = _audit(epochs=4, tau_half_time=0.5, tau_half_time_ci=[0.25, 0.75])
    assert "with tau 0.50 (0.25 to 0.75)" in sentences.half_time(summary)
    assert sentences.half_time(_audit(epochs=1, tau_half_time=None)) == ""


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
