from __future__ import annotations

import numpy as np
import pytest

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.predictors.families.multi_fidelity import MultiFidelityPredictor
from archatlas.predictors.make import make_predictor
from archatlas.predictors.metrics import kendall_tau
from archatlas.predictors.parameters import MultiFidelitySettings
from archatlas.predictors.protocol import Evaluations

SETTINGS = MultiFidelitySettings.model_validate({"cheap": "ridge", "gp": {"ensemble": 3}})


@pytest.fixture(scope="module")
def both(batch: ArchitectureBatch, truth: np.ndarray) -> tuple[ArchitectureBatch, Evaluations]:
    """Scores of all but the last 40 in another unit and with noise, and the truth of the first 15, seen twice."""
    generator = np.random.default_rng(8)
    cheap = 3 * truth[:120] - 2 + generator.normal(scale=0.03, size=120)
    rows = np.concatenate([np.arange(120), np.arange(15)])
    return batch[rows], Evaluations(
        np.concatenate([cheap, truth[:15]]),
        np.concatenate([np.full(120, 0.03), np.zeros(15)]),
        np.array(["supernet"] * 120 + ["standalone"] * 15),
    )


def _fitted(batch: ArchitectureBatch, evaluations: Evaluations) -> MultiFidelityPredictor:
    predictor = MultiFidelityPredictor(SETTINGS, seed=0)
    predictor.fit(batch, evaluations)
    return predictor


def test_both_kinds_are_better_than_each(
    both: tuple[ArchitectureBatch, Evaluations], batch: ArchitectureBatch, truth: np.ndarray
) -> None:
    known, evaluations = both
    true = evaluations.source == "standalone"
    together = _fitted(known, evaluations).predict(batch[120:])
    alone = _fitted(known[true], evaluations[true]).predict(batch[120:])
    cheap = _fitted(known[~true], evaluations[~true]).predict(batch[120:])
    assert kendall_tau(truth[120:], together.mean) > kendall_tau(truth[120:], alone.mean) + 0.05
    # Cheap scores are 3 t - 2: they rank well, and are far off as accuracies.
    errors = [np.abs(one.mean - truth[120:]).mean() for one in (together, alone, cheap)]
    assert errors[0] < errors[1] < errors[2]


def test_one_kind_alone_is_its_predictor(both: tuple[ArchitectureBatch, Evaluations]) -> None:
    known, evaluations = both
    cheap = evaluations.source == "supernet"
    ridge = make_predictor("ridge", None, seed=0)
    ridge.fit(known[cheap], evaluations[cheap])
    predicted = _fitted(known[cheap], evaluations[cheap]).predict(known)
    np.testing.assert_array_equal(predicted.mean, ridge.predict(known).mean)
    np.testing.assert_array_equal(predicted.std, ridge.predict(known).std)


def test_scores_that_mislead_are_not_followed(batch: ArchitectureBatch, truth: np.ndarray) -> None:
    rows = np.concatenate([np.arange(60), np.arange(60, 120)])
    reversed_scores = Evaluations(
        np.concatenate([-truth[:60], truth[60:120]]),
        np.zeros(120),
        np.array(["supernet"] * 60 + ["standalone"] * 60),
    )
    predicted = _fitted(batch[rows], reversed_scores).predict(batch[120:])
    assert kendall_tau(truth[120:], predicted.mean) > 0.5


def test_round_trip_of_both_kinds(both: tuple[ArchitectureBatch, Evaluations], batch: ArchitectureBatch) -> None:
    known, evaluations = both
    for rows in (slice(None), evaluations.source == "supernet", evaluations.source == "standalone"):
        fitted = _fitted(known[rows], evaluations[rows])
        loaded = MultiFidelityPredictor(SETTINGS, seed=0)
        loaded.load_state(fitted.state())
        np.testing.assert_array_equal(loaded.predict(batch).mean, fitted.predict(batch).mean)
        np.testing.assert_array_equal(loaded.predict(batch).std, fitted.predict(batch).std)
