from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from archatlas.predictors.protocol import Evaluations
from archatlas.predictors.targets import TargetTransform, leave_out, noise_weights, residual_variance


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


def test_constant_scores_are_possible() -> None:
    transform = TargetTransform.fit(np.full(4, 0.7), "quantile")
    np.testing.assert_allclose(transform.inverse(np.zeros(3)), 0.7)


def test_noisy_rows_weigh_less() -> None:
    source = np.full(3, "supernet")
    # std(score) is 4, so its quarter is 1: weights go as 1 / (noise^2 + 1).
    score = np.array([0.0, 0.0, 4 * 1.5 * 2**0.5])
    weights = noise_weights(Evaluations(score, np.array([0.0, 1.0, 0.0]), source))
    np.testing.assert_allclose(weights, np.array([1, 0.5, 1]) / 2.5 * 3)
    np.testing.assert_array_equal(noise_weights(Evaluations(np.zeros(3), np.zeros(3), source)), 1)


def test_every_row_is_left_out_once_in_equal_shares() -> None:
    assert np.bincount(leave_out(20, 5, seed=0)).tolist() == [4] * 5


def test_residual_variance_is_never_negative() -> None:
    assert residual_variance(np.array([1.0, -1.0]), np.zeros(2), np.zeros(2)) == 1.0
    assert residual_variance(np.zeros(2), np.zeros(2), np.ones(2)) == 0.0
