from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from archatlas.predictors.families.column_kernel import (
    ColumnKernel,
    Posterior,
    column_scales,
    matern,
    search_kernel,
    squared_distances,
)


def _posterior(seed: int = 0) -> Posterior:
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(14, 5))
    target = features[:, 0] - features[:, 3] + 0.1 * generator.normal(size=14)
    return Posterior(
        features, np.array([0, 0, 1, 1, 1]), target - target.mean(), generator.uniform(0.5, 2.0, size=14), spread=1.5
    )


def test_matern_by_hand() -> None:
    # r = 1: (1 + sqrt 3) exp(-sqrt 3)
    value, slope = matern(np.array([0.0, 1.0]))
    np.testing.assert_allclose(value, [1.0, 2.7320508 * 0.1769212], rtol=1e-6)
    np.testing.assert_allclose(slope, [-1.5, -1.5 * 0.1769212], rtol=1e-6)


@pytest.mark.parametrize("squared", [0.01, 0.7, 9.0])
def test_the_slope_of_matern_is_its_derivative(squared: float) -> None:
    step = 1e-6
    ahead, behind = (matern(np.array([squared + sign * step]))[0][0] for sign in (1, -1))
    assert matern(np.array([squared]))[1][0] == pytest.approx((ahead - behind) / (2 * step), rel=1e-5)


def test_squared_distances_by_hand() -> None:
    first, second = np.array([[0.0, 0.0], [1.0, 2.0]]), np.array([[3.0, 4.0]])
    np.testing.assert_allclose(squared_distances(first, second), [[25.0], [8.0]])


@pytest.mark.parametrize("seed", range(3))
def test_the_gradient_is_that_of_the_value(seed: int) -> None:
    posterior = _posterior(seed)
    point = posterior.start(np.random.default_rng(seed))
    _, gradient = posterior(point)
    numeric = approx_fprime(point, lambda at: posterior(at)[0], 1e-6)
    np.testing.assert_allclose(gradient, numeric, rtol=2e-4, atol=2e-4)


def test_the_value_is_the_likelihood_times_the_prior() -> None:
    posterior = _posterior()
    point = posterior.start(np.random.default_rng(5))
    of_group, of_column, log_signal, log_noise = posterior.split(point)
    inside = posterior.features * np.sqrt(posterior.weights(point))
    covariance = np.exp(log_signal) * matern(squared_distances(inside, inside))[0]
    covariance += np.diag(np.exp(log_noise) * posterior.noise_factors)
    likelihood = -posterior.target @ np.linalg.solve(covariance, posterior.target) / 2
    likelihood -= np.linalg.slogdet(covariance)[1] / 2
    prior = -(((of_group + np.log(2)) / 2) ** 2).sum() / 2 - ((of_column / 1.5) ** 2).sum() / 2
    prior -= log_signal**2 / 2 + (log_noise + 2.3) ** 2 / 2
    assert posterior(point)[0] == pytest.approx(-(likelihood + prior), rel=1e-6)


def test_scales_make_every_group_one_apart() -> None:
    generator = np.random.default_rng(0)
    groups = {"a": generator.normal(size=(4000, 3)) * [1.0, 5.0, 0.0], "b": generator.normal(size=(4000, 1)) * 0.01}
    numbers, scales = column_scales(groups)
    assert numbers.tolist() == [0, 0, 0, 1]
    assert scales[2] == 0
    for number, group in enumerate(groups.values()):
        kept = scales[numbers == number] > 0
        scaled = group[:, kept] / scales[numbers == number][kept]
        pairs = ((scaled[:2000] - scaled[2000:]) ** 2).sum(axis=1)
        assert pairs.mean() == pytest.approx(1, abs=0.1)


def test_the_search_finds_the_column_that_matters() -> None:
    generator = np.random.default_rng(1)
    features = generator.normal(size=(120, 40)) / np.sqrt(80)
    target = np.sin(8 * features[:, 7])
    kernel = search_kernel(
        features,
        np.zeros(40, dtype=np.int64),
        np.arange(40),
        target,
        np.ones(120),
        spread=3.0,
        steps=60,
        generator=generator,
    )
    weights = dict(zip(kernel.columns.tolist(), (kernel.factors**2).tolist(), strict=True))
    assert max(weights, key=weights.__getitem__) == 7
    assert weights.pop(7) > 20 * max(weights.values(), default=0.0)
    assert kernel.noise < 0.02


def test_a_kernel_takes_its_columns_and_weighs_them() -> None:
    kernel = ColumnKernel(np.array([2, 0]), np.array([2.0, 1.0]), signal=3.0, noise=0.1)
    inside = kernel.inside(np.array([[1.0, 9.0, 0.5], [1.0, 9.0, 0.0]]))
    np.testing.assert_array_equal(inside, [[1.0, 1.0], [0.0, 1.0]])
    np.testing.assert_allclose(kernel.between(inside, inside)[0], 3.0 * matern(np.array([0.0, 1.0]))[0])
