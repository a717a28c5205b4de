from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archatlas.signals.predictor import constant_predictions, fitted_no_better, tuned_no_better


def atlas(predicted: Any, std: float, column: str = "predicted_supernet_accuracy") -> pd.DataFrame:
    return pd.DataFrame({column: predicted, "predicted_std": std})


@pytest.mark.parametrize(("error", "level"), [(10.0, "broken"), (9.0, "warning"), (5.1, "warning"), (4.9, None)])
def test_the_spread_is_held_against_the_error_of_one_prediction(error: float, level: str | None) -> None:
    spread = np.arange(10) - 4.5
    found = constant_predictions(atlas(spread / spread.std(), error))
    assert (None if found is None else found.level) == level


def test_fewer_than_a_handful_of_predictions_are_broken_however_sure() -> None:
    found = constant_predictions(atlas([0.1, 0.9] * 50_000, 0.001))
    assert found is not None
    assert found.level == "broken"
    assert "100,000 networks have 2 different predictions" in found.what
    # Sums in another order are not another prediction.
    assert constant_predictions(atlas(0.5 + 1e-9 * np.arange(100), 0.0)).level == "broken"  # type: ignore[union-attr]
    assert constant_predictions(atlas([0.1, 0.5, 0.9], 0.001)) is None  # a space of three


@given(st.floats(0.01, 10), st.floats(-5, 5), st.integers(5, 50))
def test_units_and_level_do_not_count(scale: float, level: float, rows: int) -> None:
    predicted = np.arange(rows) * scale + level
    for column in ("predicted_accuracy", "predicted_supernet_log_loss", "predicted_score"):
        assert constant_predictions(atlas(predicted, float(predicted.std()), column)) is None
        found = constant_predictions(atlas(predicted, 20 * float(predicted.std()), column))
        assert found is not None
        assert found.level == "broken"


def tuned(family: str = "gcn", **differences: tuple[float, list[float]]) -> dict[str, Any]:
    return {
        "family": family,
        "outer_kendall_tau": 0.5,
        "outer_baselines": {name: 0.5 - tau for name, (tau, _) in differences.items()},
        "outer_difference_to": {name: {"tau": tau, "ci": ci} for name, (tau, ci) in differences.items()},
    }


def test_the_best_control_of_the_outer_loop_decides() -> None:
    constant = (0.5, [0.4, 0.6])
    assert tuned_no_better(tuned(macs=(0.1, [0.02, 0.2]), constant=constant)) is None
    unclear = tuned_no_better(tuned(macs=(0.1, [-0.02, 0.2]), params=(0.4, [0.3, 0.5]), constant=constant))
    assert unclear is not None
    assert unclear.level == "warning"
    assert "tau 0.50 (0.40 to 0.60), not clearly better than MACs alone (tau 0.40; difference -0.02" in unclear.what
    worse = tuned_no_better(tuned(params=(-0.2, [-0.3, -0.1]), constant=constant))
    assert worse is not None
    assert worse.level == "broken"
    assert "no better than params alone" in worse.what
    # A ridge is no control, a control is not compared with itself, and segments have no study.
    assert tuned_no_better(tuned(ridge=(-0.2, [-0.3, -0.1]), constant=constant)) is None
    assert tuned_no_better(tuned("macs", macs=(0.0, [0.0, 0.0]), constant=constant)) is None
    assert tuned_no_better({"family": "gcn"}) is None


def folds(**taus: list[float]) -> pd.DataFrame:
    rows = [(name, "cross_seed", fold, tau) for name, values in taus.items() for fold, tau in enumerate(values)]
    rows += [(name, "same_seed", 0, 1.0) for name in taus]
    return pd.DataFrame(rows, columns=["predictor", "protocol", "fold", "kendall_tau"])


def test_folds_decide_where_there_was_no_study() -> None:
    flat = [0.0] * 5
    ahead = folds(gcn=[0.5, 0.52, 0.48, 0.51, 0.49], macs=[0.3, 0.33, 0.28, 0.3, 0.29], constant=flat)
    assert fitted_no_better(ahead, "gcn") is None
    scattered = folds(gcn=[0.9, -0.4, 0.6, -0.5, 0.1], macs=[0.1] * 5, constant=flat)
    found = fitted_no_better(scattered, "gcn")
    assert found is not None
    assert (found.stage, found.level) == ("fit_predictor", "warning")
    nothing = fitted_no_better(folds(gcn=flat, macs=[-0.2] * 5, constant=flat), "gcn")
    assert nothing is not None
    assert "no better than a constant" in nothing.what
    assert fitted_no_better(ahead, "macs") is None
    assert fitted_no_better(ahead, "ridge") is None
    assert fitted_no_better(pd.DataFrame(), "gcn") is None
