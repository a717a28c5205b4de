from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from archatlas.predictors.noise import combined_reach, reach_of_mean, reach_over_folds, variance_over_folds


def test_one_variance_is_a_t_interval_and_a_known_one_a_normal_interval() -> None:
    assert combined_reach([0.01], [3]) == pytest.approx(3.1824 * 0.1, rel=1e-4)
    assert combined_reach([0.01], [np.inf]) == pytest.approx(1.95996 * 0.1, rel=1e-4)
    assert combined_reach([0.01], [3], confidence=0.5) == pytest.approx(0.7649 * 0.1, rel=1e-4)
    assert combined_reach([0.0, 0.0], [1, 5]) == 0.0
    assert combined_reach([], []) == 0.0
    assert np.isnan(combined_reach([0.01, np.nan], [3, 3])), "what is not known is no certainty"


def test_the_mean_of_three_values_is_held_as_often_as_is_said() -> None:
    # A spread of 1, and the quantile of two degrees of freedom.
    assert reach_of_mean([1.0, 2.0, 3.0]) == pytest.approx(4.302653 / 3**0.5)
    assert np.isnan(reach_of_mean([1.0]))
    drawn = np.random.default_rng(0).normal(size=(2000, 3))
    held = [abs(values.mean()) <= reach_of_mean(values) for values in drawn]
    assert np.mean(held) == pytest.approx(0.95, abs=0.015)


def test_two_variances_are_welchs_test() -> None:
    one, other = np.array([0.5, 0.7, 0.9]), np.array([0.1, 0.2, 0.15, 0.3])
    interval = stats.ttest_ind(one, other, equal_var=False).confidence_interval(0.95)
    reach = combined_reach([one.var(ddof=1) / 3, other.var(ddof=1) / 4], [2, 3])
    assert reach == pytest.approx((interval.high - interval.low) / 2)


@given(st.lists(st.tuples(st.floats(0.01, 1), st.integers(1, 50)), min_size=1, max_size=4), st.floats(0.1, 10))
def test_units_do_not_count_and_the_fewest_degrees_bound_the_reach(parts: list[tuple[float, int]], by: float) -> None:
    variances, degrees = zip(*parts, strict=True)
    reach = combined_reach(variances, degrees)
    assert combined_reach([by**2 * one for one in variances], degrees) == pytest.approx(by * reach)
    error = sum(variances) ** 0.5
    assert stats.norm.ppf(0.975) * error <= reach <= stats.t.ppf(0.975, min(degrees)) * error * (1 + 1e-9)


def test_one_fold_says_nothing_of_others() -> None:
    assert reach_over_folds(np.array([0.3])) == np.inf
    values = np.array([0.1, 0.2, 0.3])
    assert reach_over_folds(values) == pytest.approx(stats.t.ppf(0.975, 2) * variance_over_folds(values) ** 0.5)


def test_folds_share_what_they_are_fitted_to() -> None:
    assert variance_over_folds(np.array([0.1, 0.2, 0.3])) == pytest.approx(0.01 * (1 / 3 + 1 / 2))
