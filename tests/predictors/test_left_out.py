"""What predictors say of rows without them: neither the row nor a twin of it was learned."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.predictors.families.left_out_errors import left_out_errors
from archatlas.predictors.families.most_rows import learned_from_most
from archatlas.predictors.make import make_predictor
from archatlas.predictors.metrics import kendall_tau
from archatlas.predictors.protocol import Evaluations, HeldOut, Prediction

HELD_OUT = {
    "gp": {"ensemble": 3},
    "gcn": {"epochs": 30, "ensemble": 3},
    "wl": {},
    "nasgem": {"graphs": 150, "steps": 60, "width": 32, "dimensions": 16},
}


def _exact(score: NDArray[np.float64]) -> Evaluations:
    return Evaluations(score, np.zeros(len(score)), np.full(len(score), "table"))


def test_errors_are_those_of_processes_without_the_network() -> None:
    generator = np.random.default_rng(0)
    features, values = generator.normal(size=(7, 2)), generator.normal(size=7)
    networks = np.array([0, 1, 0, 2, 3, 0, 2])
    covariance = features @ features.T + 0.5 * np.eye(7)
    whitening = np.linalg.inv(np.linalg.cholesky(covariance))
    errors, precision = left_out_errors(whitening, whitening.T @ whitening @ values, networks)
    for network in range(4):
        own = networks == network
        between = covariance[np.ix_(own, ~own)] @ np.linalg.inv(covariance[np.ix_(~own, ~own)])
        np.testing.assert_allclose(errors[own], values[own] - between @ values[~own])
        left = covariance[np.ix_(own, own)] - between @ covariance[np.ix_(~own, own)]
        np.testing.assert_allclose(1 / precision[own], left.diagonal())


def test_of_distinct_networks_it_is_the_one_row_that_is_left_out() -> None:
    generator = np.random.default_rng(1)
    whitening, dual = np.tril(generator.normal(size=(6, 6))), generator.normal(size=6)
    errors, precision = left_out_errors(whitening, dual, np.arange(6))
    np.testing.assert_array_equal(precision, np.einsum("kn,kn->n", whitening, whitening))
    np.testing.assert_array_equal(errors, dual / precision)


@pytest.mark.parametrize("name", HELD_OUT)
def test_a_twin_tells_nothing_of_what_is_held_out(name: str, batch: ArchitectureBatch) -> None:
    """Scores are noise, the same for twins: a fit that knows one of them would foretell the other."""
    score = 0.8 + 0.02 * np.random.default_rng(2).normal(size=40)
    predictor = make_predictor(name, HELD_OUT[name], seed=0)
    predictor.fit(batch[np.tile(np.arange(40), 2)], _exact(np.tile(score, 2)))
    assert isinstance(predictor, HeldOut)
    assert kendall_tau(score, predictor.held_out().mean[:40]) < 0.2


@pytest.mark.parametrize("name", ["lightgbm", "random_forest"])
def test_twins_make_no_error_smaller(name: str, batch: ArchitectureBatch) -> None:
    """Deviations of what is all noise stay about those of the noise, however often each network was scored."""
    score = 0.8 + 0.02 * np.random.default_rng(3).normal(size=40)
    predictor = make_predictor(name, {"transform": "raw"}, seed=0)
    predictor.fit(batch[np.tile(np.arange(40), 3)], _exact(np.tile(score, 3)))
    assert predictor.predict(batch[40:]).std.mean() > 0.015


def test_many_rows_are_learned_by_networks(batch: ArchitectureBatch) -> None:
    learned: list[ArchitectureBatch] = []

    def learn(part: ArchitectureBatch, evaluations: Evaluations) -> Prediction:
        learned.append(part)
        return Prediction(evaluations.score, np.zeros(len(part)))

    def predict(part: ArchitectureBatch) -> Prediction:
        return Prediction(np.full(len(part), -1.0), np.ones(len(part)))

    distinct, twice = batch[:30], batch[np.repeat(np.arange(30), 2)]
    held_out = learned_from_most(learn, predict, distinct, _exact(np.arange(30.0)), 12, seed=0)
    order = np.random.default_rng([0, 7]).permutation(30)
    np.testing.assert_array_equal(np.flatnonzero(held_out.std == 0), np.sort(order[:12]))
    held_out = learned_from_most(learn, predict, twice, _exact(np.arange(60.0)), 11, seed=0)
    np.testing.assert_array_equal(held_out.std[::2], held_out.std[1::2])
    assert len(learned[1]) == 10, "no network is split"
