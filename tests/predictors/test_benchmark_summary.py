from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from archatlas.predictors.benchmark.row import MEASURED
from archatlas.predictors.benchmark.run import COLUMNS
from archatlas.predictors.benchmark.summary import paired_difference, summarise


def rows(**taus: list[float]) -> pd.DataFrame:
    """Rows of one set, a repetition per tau."""
    made = [
        {
            "space": "s", "learned": "test", "judged": "test", "split": "rows", "predictor": name, "family": name,
            "uses_costs": False, "uses_proxies": False, "labels": 10, "seed": seed, "status": "done",
            **dict.fromkeys(MEASURED, 1.0), "kendall_tau": value,
        }
        for name, values in taus.items()
        for seed, value in enumerate(values)
    ]  # fmt: skip
    return pd.DataFrame(made, columns=list(COLUMNS))


def test_paired_differences_have_students_interval() -> None:
    first, second = pd.Series([3.0, 5.0, 4.0]), pd.Series([2.0, 2.0, 2.0])
    mean, low, high = paired_difference(first, second)
    reach = 4.302652729911275 * 1 / np.sqrt(3)  # t of 2 degrees of freedom; differences 1, 3, 2
    assert (mean, low, high) == pytest.approx((2, 2 - reach, 2 + reach))
    assert paired_difference(first, pd.Series([1.0], index=[2]))[0] == 3
    assert np.isnan(paired_difference(first[:1], second[:1])[1])


def test_the_best_has_the_highest_mean_and_pairs_tell_who_is_within_noise() -> None:
    table = summarise(rows(good=[0.8, 0.6, 0.7], close=[0.79, 0.6, 0.7], steady=[0.78, 0.58, 0.68]))
    table = table.set_index("predictor")
    assert table["kendall_tau"].tolist() == pytest.approx([0.7, 0.7 - 0.01 / 3, 0.68])
    assert table["kendall_tau_se"]["good"] == pytest.approx(0.1 / np.sqrt(3))
    assert table["best"].tolist() == [True, False, False]
    # Always .02 behind: that is more than noise, although the repetitions differ by .2.
    assert table["within_noise"].tolist() == [True, True, False]
    assert table["behind_best"]["steady"] == pytest.approx(0.02)
    assert table["repetitions"].tolist() == [3, 3, 3]


def test_one_repetition_tells_nothing_of_noise() -> None:
    table = summarise(rows(a=[0.8], b=[0.7]))
    assert table["best"].tolist() == [True, False]
    assert table["within_noise"].tolist() == [False, False]
    assert table["kendall_tau_se"].isna().all()


def test_what_was_not_fitted_is_no_best() -> None:
    skipped = rows(a=[0.8, 0.7], b=[0.0, 0.0])
    skipped.loc[skipped["predictor"] == "b", [*MEASURED]] = np.nan
    skipped.loc[skipped["predictor"] == "b", "status"] = "no proxies"
    table = summarise(skipped).set_index("predictor")
    assert table["best"].to_dict() == {"a": True, "b": False}
    assert not table["within_noise"]["b"]
    assert summarise(rows()).empty
