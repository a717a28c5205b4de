from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.errors import ArchatlasError
from archatlas.predictors.families.evidence import EvidencePredictor, EvidenceSettings, _line, _shares
from archatlas.predictors.make import make_predictor
from archatlas.predictors.metrics import kendall_tau
from archatlas.predictors.protocol import Evaluations, Prediction
from archatlas.predictors.targets import normal_quantiles
from archatlas.spaces.tables.transnas_bench_101_micro import TransNasBench101Micro

Floats = np.ndarray
SETTINGS = {"prior": {"jacov": 1.0}, "cheap": "ridge", "gp": {"ensemble": 3}}


def _told(batch: ArchitectureBatch, **opinions: Floats) -> ArchitectureBatch:
    return batch.with_proxies(pd.DataFrame(opinions))


def _labelled(truth: Floats, count: int) -> Evaluations:
    """All networks, of which the first few have a label."""
    score = np.where(np.arange(len(truth)) < count, truth, np.nan)
    return Evaluations(score, np.zeros(len(truth)), np.full(len(truth), "table"))


def _predicted(batch: ArchitectureBatch, evaluations: Evaluations) -> Prediction:
    predictor = EvidencePredictor(EvidenceSettings.model_validate(SETTINGS), seed=0)
    predictor.fit(batch, evaluations)
    return predictor.predict(batch)


def _alone(batch: ArchitectureBatch, truth: Floats, count: int) -> Floats:
    """A Gaussian process that has heard no opinion."""
    gp = make_predictor("gp", {"ensemble": 3}, seed=0)
    gp.fit(batch[:count], _labelled(truth, count)[:count])
    return gp.predict(batch).mean


def test_without_labels_the_prior_mean_speaks_alone(batch: ArchitectureBatch, truth: Floats) -> None:
    first, second = np.random.default_rng(0).normal(size=(2, len(truth)))
    settings = EvidenceSettings.model_validate({"prior": {"jacov": 1.0, "nwot": 2.0, "nobody": 5.0}})
    predictor = EvidencePredictor(settings, seed=0)
    told = _told(batch, jacov=np.exp(first), nwot=second, other=-first)
    predictor.fit(told, _labelled(truth, 0))
    mean = normal_quantiles(first) + 2 * normal_quantiles(second)
    np.testing.assert_allclose(predictor.predict(told).mean, 0.75 * mean / mean.std(), atol=1e-9)
    np.testing.assert_allclose(predictor.predict(told[:3]).std, 0.4375**0.5)


def test_names_in_a_prior_that_no_opinion_has_are_told(
    batch: ArchitectureBatch, truth: Floats, caplog: pytest.LogCaptureFixture
) -> None:
    def fitted(**prior: float) -> list[str]:
        caplog.clear()
        settings = EvidenceSettings.model_validate({**SETTINGS, "prior": prior})
        EvidencePredictor(settings, seed=0).fit(_told(batch, jacov=truth), _labelled(truth, 0))
        return caplog.messages

    so = "and no opinion of these networks is called so"
    with pytest.raises(ArchatlasError, match=f"`prior` of evidence names mac, {so}; did you mean `macs`"):
        fitted(mac=1.0)
    assert fitted(jacov=1.0, mac=1.0) == [f"`prior` of evidence names mac, {so}; did you mean `macs`?"]
    assert fitted(jacov=1.0, supernet=1.0, nobody=0.0) == [], "the default's names are there or not"
    assert fitted(supernet=1.0)[0].startswith(f"`prior` of evidence names supernet, {so}; known names: jacov, macs")
    assert fitted(jacov=0.0) == []


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_the_first_labels_do_not_overturn_it(batch: ArchitectureBatch, truth: Floats, count: int) -> None:
    predicted = _predicted(_told(batch, jacov=truth), _labelled(truth, count))
    assert kendall_tau(truth, predicted.mean) > 0.7
    assert np.isfinite(predicted.std).all()
    assert (predicted.std > 0).all()


@pytest.mark.parametrize("count", [2, 3])
def test_a_few_labels_against_the_prior_leave_its_order(batch: ArchitectureBatch, truth: Floats, count: int) -> None:
    few = _labelled(truth, count)
    predicted = _predicted(_told(batch, jacov=np.where(np.isnan(few.score), truth, -truth)), few)
    assert len(np.unique(predicted.mean)) > 100
    assert kendall_tau(truth[count:], predicted.mean[count:]) > 0.99


def test_one_label_tells_the_level_and_no_network_is_thrown_far_from_it(
    batch: ArchitectureBatch, truth: Floats
) -> None:
    predicted = _predicted(_told(batch, jacov=truth), _labelled(np.full(len(truth), 0.9), 1))
    assert 0.85 < predicted.mean.min() < 0.9 < predicted.mean.max() < 1


def test_a_prior_that_is_right_is_used_and_scores_have_the_unit_of_labels(
    batch: ArchitectureBatch, truth: Floats
) -> None:
    predicted = _predicted(_told(batch, jacov=truth**3), _labelled(truth, 10))
    assert kendall_tau(truth, predicted.mean) > 0.93
    assert abs(predicted.mean - truth).mean() < 0.4 * truth.std()


@pytest.mark.parametrize("wrong", ["noise", "reversed"])
def test_a_prior_that_is_wrong_fades(batch: ArchitectureBatch, truth: Floats, wrong: str) -> None:
    opinion = -truth if wrong == "reversed" else np.random.default_rng(5).normal(size=len(truth))
    predicted = _predicted(_told(batch, jacov=opinion), _labelled(truth, 60))
    unseen = slice(60, None)
    without = kendall_tau(truth[unseen], _alone(batch, truth, 60)[unseen])
    assert kendall_tau(truth[unseen], predicted.mean[unseen]) > without - 0.02


def test_an_opinion_that_is_missing_for_some_is_used_for_the_others(batch: ArchitectureBatch, truth: Floats) -> None:
    missing = np.arange(len(truth)) % 2 == 1
    predicted = _predicted(_told(batch, jacov=np.where(missing, np.nan, truth)), _labelled(truth, 10)).mean
    assert kendall_tau(truth[~missing], predicted[~missing]) > 0.85
    without = _alone(batch, truth, 10)
    assert kendall_tau(truth[missing], predicted[missing]) > kendall_tau(truth[missing], without[missing]) - 0.1


def test_a_constant_opinion_changes_nothing(batch: ArchitectureBatch, truth: Floats) -> None:
    known = _labelled(truth, 12)
    with_it = _predicted(_told(batch, jacov=truth, constant=np.ones(len(truth))), known)
    np.testing.assert_array_equal(with_it.mean, _predicted(_told(batch, jacov=truth), known).mean)


def test_without_any_opinion_it_is_a_gaussian_process() -> None:
    space = TransNasBench101Micro("transnas_bench_101_micro", (3, 256, 256), 47)
    batch = ArchitectureBatch(space, space.sample(40, np.random.default_rng(1)))
    truth = (batch.choices == 3).sum(axis=1) + 0.01 * np.arange(40)
    said = _predicted(batch, _labelled(truth, 20)).mean
    assert kendall_tau(said, _alone(batch, truth, 20)) > 0.95
    np.testing.assert_array_equal(_predicted(batch, _labelled(truth, 0)).mean, np.zeros(40))


def test_scores_of_super_networks_are_an_opinion_beside_true_labels(batch: ArchitectureBatch, truth: Floats) -> None:
    """Simulated scores, in a unit and with errors of their own, of all but the last 40 networks."""
    scores = 3 * truth[:120] - 2 + np.random.default_rng(8).normal(scale=0.03, size=120)
    rows = np.concatenate([np.arange(120), np.arange(15)])
    both = Evaluations(
        np.concatenate([scores, truth[:15]]), np.zeros(135), np.array(["supernet"] * 120 + ["standalone"] * 15)
    )
    settings = EvidenceSettings.model_validate({"cheap": "ridge", "gp": {"ensemble": 3}})
    predictor = EvidencePredictor(settings, seed=0)
    predictor.fit(batch[rows], both)
    predicted = predictor.predict(batch).mean
    alone = _alone(batch, truth, 15)
    assert kendall_tau(truth[120:], predicted[120:]) > kendall_tau(truth[120:], alone[120:]) + 0.05
    assert abs(predicted - truth).mean() < truth.std()
    loaded = EvidencePredictor(settings, seed=0)
    loaded.load_state(predictor.state())
    np.testing.assert_array_equal(loaded.predict(batch).mean, predicted)


def test_shares_fade_with_labels_and_with_errors() -> None:
    level = {"alone": 0.2, "informed": 0.2, "beyond": 0.2, "line": 0.2}
    np.testing.assert_allclose(_shares(level, 15, 15.0), [0.25, 0.1875, 0.1875, 0.375])
    np.testing.assert_allclose(_shares(level, 135, 15.0), [0.01, 0.4455, 0.4455, 0.099])
    np.testing.assert_allclose(_shares({**level, "line": 0.4}, 15, 15.0), [0.0625, 0.234375, 0.234375, 0.46875])
    np.testing.assert_allclose(_shares({**level, "beyond": 0.4}, 15, 15.0), [0.25, 0.328125, 0.328125, 0.09375])
    np.testing.assert_allclose(_shares({**level, "line": 0.1}, 15, 15.0), [0.25, 0.1875, 0.1875, 0.375])
    np.testing.assert_allclose(_shares({"alone": 0.2, "informed": 0.3}, 15, 15.0), [0, 0.5, 0.5, 0])
    np.testing.assert_allclose(_shares({}, 3, 15.0), [1, 0, 0, 0])


def test_the_slope_is_the_prior_s_until_labels_tell_and_never_below_0() -> None:
    np.testing.assert_allclose(_line(np.zeros(0), np.zeros(0)), [0, 0.75, 0.4375**0.5])
    level = np.array([-1.0, 1.0])
    # (2 * 2 + .75 / .36) / (2 * 2 + 1 / .36), of two points on the diagonal
    np.testing.assert_allclose(_line(level, level)[:2], [0, 0.897541], rtol=1e-6, atol=1e-12)
    assert _line(np.tile(level, 9), -np.tile(level, 9))[1] == 0
