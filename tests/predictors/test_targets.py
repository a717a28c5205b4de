from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from archatlas.predictors.protocol import Evaluations
from archatlas.predictors.targets import (
    ErrorSpread,
    TargetTransform,
    interval_width,
    leave_out,
    noise_weights,
    spread_of,
)


def test_quantiles_of_ranks_with_a_tie() -> None:
    transform = TargetTransform.fit(np.array([0.2, 0.9, 0.9, 0.5]), "quantile")
    expected = norm.ppf([0.5 / 4, 3 / 4, 3 / 4, 1.5 / 4])
    np.testing.assert_allclose(transform.forward(np.array([0.2, 0.9, 0.9, 0.5])), expected)


@pytest.mark.parametrize("name", ["raw", "quantile"])
def test_inverse_undoes_forward_inside_and_outside(name: str) -> None:
    score = np.random.default_rng(0).normal(size=50)
    transform = TargetTransform.fit(score, name)  # type: ignore[arg-type]
    x = np.linspace(-5, 5, 31)
    np.testing.assert_allclose(transform.inverse(transform.forward(x)), x, atol=1e-12)
    again = TargetTransform.from_state(transform.state())
    np.testing.assert_array_equal(again.inverse(x), transform.inverse(x))
    assert (transform.inverse_std(x, np.full(31, 0.1)) > 0).all()


@pytest.mark.parametrize("name", ["raw", "quantile"])
def test_where_scores_do_not_differ_their_level_says_how_far_others_may_lie(name: str) -> None:
    for count in (1, 4):
        transform = TargetTransform.fit(np.full(count, 0.7), name)  # type: ignore[arg-type]
        np.testing.assert_allclose(transform.inverse(np.array([-2.0, 0.0, 2.0])), [0.672, 0.7, 0.728])
    assert spread_of(np.array([-0.4])) == pytest.approx(0.008)
    assert spread_of(np.zeros(3)) == 1
    assert spread_of(np.array([0.1, 0.3])) == pytest.approx(0.1)


def test_noisy_rows_weigh_less() -> None:
    source = np.full(3, "supernet")
    # std(score) is 4, so its quarter is 1: weights go as 1 / (noise^2 + 1).
    score = np.array([0.0, 0.0, 4 * 1.5 * 2**0.5])
    weights = noise_weights(Evaluations(score, np.array([0.0, 1.0, 0.0]), source))
    np.testing.assert_allclose(weights, np.array([1, 0.5, 1]) / 2.5 * 3)
    np.testing.assert_array_equal(noise_weights(Evaluations(np.zeros(3), np.zeros(3), source)), 1)


def test_every_row_is_left_out_once_in_equal_shares() -> None:
    left_out = leave_out(np.arange(20), 5, seed=0)
    assert np.bincount(left_out).tolist() == [4] * 5
    np.testing.assert_array_equal(left_out, np.random.default_rng(0).permutation(20) % 5)


def test_twins_are_left_out_together() -> None:
    networks = np.array([0, 1, 0, 2, 3, 1])
    np.testing.assert_array_equal(leave_out(networks, 4, seed=0), leave_out(np.arange(4), 4, seed=0)[networks])


def test_errors_beyond_the_spread_of_the_members() -> None:
    assert ErrorSpread.fit(np.array([1.0, -1.0]), np.zeros(2), np.zeros(2)).left == 1.0
    assert ErrorSpread.fit(np.zeros(2), np.zeros(2), np.ones(2)).left == 0.0
    np.testing.assert_allclose(ErrorSpread(left=9.0, width=2.0).std(np.array([4.0, 0.0])), [10.0, 6.0])


def test_normal_errors_need_no_other_width() -> None:
    errors = np.abs(np.random.default_rng(0).normal(size=20_000))
    assert interval_width(errors) == pytest.approx(1, abs=0.02)
    assert interval_width(1.7 * errors) == pytest.approx(1.7, abs=0.04)


def test_long_tails_are_shared_between_two_intervals() -> None:
    errors = np.abs(np.random.default_rng(1).standard_t(3, size=50_000))
    width = interval_width(errors)
    covered = [(errors <= width * reach).mean() for reach in (1.2816, 1.96)]
    assert covered[0] > 0.8 > covered[1] - 0.15
    assert covered[1] < 0.95


def test_few_errors_give_the_wider_quantile() -> None:
    # Of nine errors the 95% quantile is beyond the largest: (1 + 1/9) .95 > 1; the 80% one is the eighth and a bit.
    errors = np.arange(1.0, 10.0) / 10
    level = 0.8 * 10 / 9
    assert interval_width(errors) == pytest.approx((np.quantile(errors, level) / 1.2815516 + 0.9 / 1.959964) / 2)
