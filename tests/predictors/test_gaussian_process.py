from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.errors import ArchatlasError
from archatlas.predictors.families.column_kernel import ColumnKernel
from archatlas.predictors.families.gaussian_process import GaussianProcessPredictor, _posterior
from archatlas.predictors.metrics import kendall_tau
from archatlas.predictors.parameters import GaussianProcessSettings
from archatlas.predictors.protocol import Evaluations
from archatlas.spaces.nas_bench_201 import NasBench201


def _fitted(batch: ArchitectureBatch, score: np.ndarray, **settings: object) -> GaussianProcessPredictor:
    predictor = GaussianProcessPredictor(GaussianProcessSettings.model_validate(settings), seed=0)
    predictor.fit(batch, _exact(score))
    return predictor


def _exact(score: np.ndarray) -> Evaluations:
    return Evaluations(score, np.zeros(len(score)), np.full(len(score), "table"))


def test_leave_one_out_errors_are_those_of_fits_without_the_row() -> None:
    generator = np.random.default_rng(0)
    features, values = generator.normal(size=(12, 3)), generator.normal(size=12)
    kernel = ColumnKernel(np.arange(3), np.array([1.0, 0.5, 2.0]), signal=1.2, noise=0.1)
    factors = generator.uniform(0.5, 2.0, size=12)
    _, errors = _posterior(kernel, features, values, factors, np.arange(12), np.arange(12))
    for row in range(12):
        others = np.arange(12) != row
        member, _ = _posterior(kernel, features[others], values[others], factors[others], np.arange(11), np.arange(11))
        assert errors[row] == pytest.approx(values[row] - member.predict(features[[row]])[0][0], abs=1e-6)


def test_variance_falls_where_rows_are_near() -> None:
    features = np.array([[0.0], [1.0]])
    kernel = ColumnKernel(np.array([0]), np.array([1.0]), signal=2.0, noise=0.1)
    member, _ = _posterior(kernel, features, np.array([1.0, -1.0]), np.ones(2), np.arange(2), np.arange(2))
    at, far = member.predict(np.array([[0.0], [50.0]]))[1]
    assert far == pytest.approx(2.1)
    # Seen once with noise .1, and a neighbour at distance 1 besides.
    assert 0.1 < at < 0.1 + 2.0 * 0.1 / 2.1 + 1e-9


def test_intervals_cover_what_they_promise() -> None:
    space = NasBench201("nas_bench_201", (3, 32, 32), 10)
    generator = np.random.default_rng(1)
    batch = ArchitectureBatch(space, space.sample(900, generator))
    counts = np.stack([(batch.choices == operation).sum(axis=1) for operation in range(5)], axis=1)
    score = counts @ np.array([-0.05, 0.0, 0.03, 0.05, -0.02]) + 0.02 * generator.standard_normal(900)
    prediction = _fitted(batch[:200], score[:200]).predict(batch[200:])
    off = np.abs(prediction.mean - score[200:]) / prediction.std
    assert 0.72 < (off < 1.2816).mean() < 0.88
    assert 0.90 < (off < 1.96).mean() < 0.99
    assert kendall_tau(score[200:], prediction.mean) > 0.75


def test_more_rows_than_asked_for_are_not_learned(batch: ArchitectureBatch, truth: np.ndarray) -> None:
    state = _fitted(batch, truth, rows=50).state()
    assert {state[f"{member}.rows"].shape[0] for member in range(8)} == {50}
    assert state["0.searched"].shape[0] <= 44


def test_rows_that_were_not_learned_are_held_out_too(batch: ArchitectureBatch, truth: np.ndarray) -> None:
    predictor = _fitted(batch, truth, rows=50)
    held_out = predictor.held_out()
    predicted = predictor.predict(batch)
    assert held_out.mean.shape == held_out.std.shape == (len(batch),)
    # The rows that were learned are foretold by a part of what predicts them, the 110 others by all of it.
    assert np.isclose(held_out.mean, predicted.mean, rtol=1e-12).sum() == len(batch) - 50
    assert kendall_tau(truth, held_out.mean) > 0.5


def test_without_costs_none_are_read(batch: ArchitectureBatch, truth: np.ndarray) -> None:
    free = ArchitectureBatch(batch.space, batch.choices, cost_table=pd.DataFrame())
    np.testing.assert_array_equal(
        _fitted(free, truth, costs=False).predict(free).mean, _fitted(batch, truth, costs=False).predict(batch).mean
    )


def test_proxies_are_used_where_asked_for(batch: ArchitectureBatch, truth: np.ndarray) -> None:
    # A score that the graph does not tell, and a proxy that tells all of it but its scale.
    secret = np.random.default_rng(2).normal(size=len(batch))
    known = ArchitectureBatch(
        batch.space, batch.choices, cost_table=batch.cost_table, proxies=pd.DataFrame({"proxy_a": np.exp(3 * secret)})
    )
    with_proxies = _fitted(known[:100], secret[:100], proxies=True).predict(known[100:])
    without = _fitted(known[:100], secret[:100]).predict(known[100:])
    assert kendall_tau(secret[100:], with_proxies.mean) > 0.85
    assert kendall_tau(secret[100:], without.mean) < 0.4
    with pytest.raises(ArchatlasError, match=r"`proxies: true` asks for zero-cost proxies, but this space has none"):
        _fitted(batch, truth, proxies=True)


def test_few_rows_and_nothing_that_varies(batch: ArchitectureBatch) -> None:
    same = batch[np.zeros(6, dtype=np.int64)]
    predicted = _fitted(same, np.linspace(0.5, 0.6, 6)).predict(batch[:3])
    assert np.isfinite(predicted.mean).all()
    assert (predicted.std > 0).all()
    assert np.ptp(predicted.mean) == 0
