from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from archatlas.predictors.families.likelihood import minus_log_likelihood


def test_likelihood_and_its_slope_by_the_covariance() -> None:
    generator = np.random.default_rng(0)
    root, values, step = generator.normal(size=(5, 5)), generator.normal(size=5), generator.normal(size=(5, 5))
    covariance, step = root @ root.T + np.eye(5), step + step.T
    made = minus_log_likelihood(covariance, values)
    assert made is not None
    without_constant = -multivariate_normal.logpdf(values, cov=covariance) - 5 * np.log(2 * np.pi) / 2
    assert made[0] == pytest.approx(without_constant)
    above, below = (minus_log_likelihood(covariance + sign * 1e-6 * step, values) for sign in (1, -1))
    assert above is not None
    assert below is not None
    assert np.trace(made[1] @ step) == pytest.approx((above[0] - below[0]) / 2e-6, rel=1e-5)


def test_what_is_no_covariance_has_none() -> None:
    assert minus_log_likelihood(-np.eye(3), np.ones(3)) is None
