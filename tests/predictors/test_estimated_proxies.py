"""Proxies of some networks, estimated for all."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.encodings.one_hot import one_hot
from archatlas.errors import ArchatlasError
from archatlas.predictors.families import estimated_proxies
from archatlas.predictors.families.estimated_proxies import EstimatedProxiesPredictor, EstimatedProxiesSettings
from archatlas.predictors.families.evidence import EvidencePredictor
from archatlas.predictors.fitting import cross_seed_scores, fit_one, heard, proxies_alone, with_estimates
from archatlas.predictors.make import describe_predictor, load_predictor, make_predictor, state_tensors
from archatlas.predictors.metrics import kendall_tau
from archatlas.predictors.protocol import Evaluations
from archatlas.predictors.registry import reads_proxies
from archatlas.predictors.scores import network_scores

Floats = np.ndarray
EVIDENCE = {"prior": {"jacov": 1.0}, "cheap": "ridge", "gp": {"ensemble": 2}}


@pytest.fixture(scope="module")
def additive(batch: ArchitectureBatch) -> Floats:
    """What lines can tell of networks."""
    encoded = one_hot(batch.choices, batch.space.num_choices)
    return np.asarray(encoded @ np.random.default_rng(0).normal(size=encoded.shape[1]))


def _fitted(batch: ArchitectureBatch, score: Floats, **settings: object) -> EstimatedProxiesPredictor:
    predictor = EstimatedProxiesPredictor(EstimatedProxiesSettings.model_validate(settings), seed=0)
    predictor.fit(batch, Evaluations(score, np.zeros(len(score)), np.full(len(score), "supernet")))
    return predictor


class Listener:
    """A predictor that notes what proxies it is given."""

    def __init__(self) -> None:
        self.given: list[pd.DataFrame] = []

    def fit(self, batch: ArchitectureBatch, evaluations: Evaluations) -> None:
        self.given.append(batch.proxies)

    def predict(self, batch: ArchitectureBatch) -> None:
        self.given.append(batch.proxies)


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Listener:
    made = Listener()
    monkeypatch.setattr(estimated_proxies, "make_predictor", lambda *_: made)
    return made


def test_networks_that_nobody_scored_have_the_order_of_their_scores(
    batch: ArchitectureBatch, additive: Floats, listener: Listener
) -> None:
    known = batch[:120].with_proxies(pd.DataFrame({"jacov": np.exp(3 * additive[:120])}))
    _fitted(known, additive[:120]).predict(batch[120:])
    assert kendall_tau(additive[120:], listener.given[1]["jacov"].to_numpy()) > 0.95


def test_what_is_fitted_to_are_estimates_of_lines_that_have_not_seen_the_network(
    batch: ArchitectureBatch, additive: Floats, listener: Listener
) -> None:
    """They know nothing of the noise of a proxy, which lines that have seen the network do, and twins have the same."""
    noise = np.random.default_rng(1).normal(size=160)
    rows = np.concatenate([np.arange(160), np.arange(20)])
    twins = batch[rows].with_proxies(pd.DataFrame({"noisy": (additive / additive.std() + noise)[rows]}))
    _fitted(twins, noise[rows]).predict(twins)
    out_of_fold, seen = (given["noisy"].to_numpy() for given in listener.given)
    left = [one[:160] - np.polyval(np.polyfit(additive, one[:160], 1), additive) for one in (out_of_fold, seen)]
    of_noise = [np.corrcoef(noise, rest)[0, 1] for rest in left]
    assert abs(of_noise[0]) < 0.1
    assert of_noise[1] > 0.2, of_noise
    np.testing.assert_allclose(out_of_fold[160:], out_of_fold[:20])


def test_a_network_s_own_proxies_are_not_read_and_missing_ones_are_estimated(
    batch: ArchitectureBatch, additive: Floats, listener: Listener
) -> None:
    some = np.where(np.arange(160) % 4, additive, [np.nan, np.inf] * 80)
    told = batch.with_proxies(pd.DataFrame({"jacov": some}))
    predictor = _fitted(told, additive)
    predictor.predict(told)
    predictor.predict(batch)
    at_fit, with_own, without = listener.given
    pd.testing.assert_frame_equal(with_own, without)
    lacking = np.arange(160) % 4 == 0
    assert kendall_tau(additive[lacking], at_fit["jacov"].to_numpy()[lacking]) > 0.9


def test_what_few_have_or_all_alike_or_nothing_tells_is_left_out_and_said(
    batch: ArchitectureBatch, additive: Floats, listener: Listener
) -> None:
    few = np.where(np.arange(160) < 11, additive, np.nan)
    noise = np.random.default_rng(1).normal(size=160)
    proxies = pd.DataFrame({"few": few, "jacov": additive, "same": 1.0, "none": np.nan, "noise": noise})
    predictor = _fitted(batch.with_proxies(proxies), additive)
    predictor.predict(batch[:3])
    assert [list(given) for given in listener.given] == [["jacov"], ["jacov"]]
    assert heard("evidence", predictor) == "evidence hears estimates of jacov, and of no other score without training"
    assert heard("gcn", make_predictor("gcn", None, 0)).startswith("gcn hears no scores without training: `evidence`")


@pytest.mark.parametrize("proxies", [None, pd.DataFrame(index=range(160)), pd.DataFrame({"same": np.ones(160)})])
def test_with_nothing_to_estimate_it_is_the_other_predictor(
    batch: ArchitectureBatch, truth: Floats, proxies: pd.DataFrame | None
) -> None:
    told = batch if proxies is None else batch.with_proxies(proxies)
    scores = Evaluations(truth, np.zeros(160), np.full(160, "table"))
    predictor, alone = _fitted(told, truth, settings=EVIDENCE), make_predictor("evidence", EVIDENCE, 0)
    alone.fit(batch, scores)
    np.testing.assert_array_equal(predictor.predict(batch).mean, alone.predict(batch).mean)


def test_a_few_labels_and_scores_of_many_rank_networks_that_have_neither(
    batch: ArchitectureBatch, truth: Floats
) -> None:
    """`evidence` itself refuses them; now the prior mean reaches them, also once it was saved, and in parts."""
    known = batch[:120].with_proxies(pd.DataFrame({"jacov": truth[:120] ** 3}))
    score = np.where(np.arange(120) < 6, truth[:120], np.nan)
    scores = Evaluations(score, np.zeros(120), np.full(120, "table"))
    refusing = make_predictor("evidence", EVIDENCE, 0)
    refusing.fit(known, scores)
    with pytest.raises(ArchatlasError, match="fitted with the opinion 'jacov'"):
        refusing.predict(batch[120:])
    settings = {"family": "evidence", "settings": EVIDENCE}
    predictor = make_predictor("estimated_proxies", settings, 0)
    predictor.fit(known, scores)
    predicted = predictor.predict(batch[120:])
    assert kendall_tau(truth[120:], predicted.mean) > 0.7
    described = describe_predictor("estimated_proxies", settings, 0, "accuracy", batch.space)
    loaded = load_predictor(described, state_tensors(predictor.state()), batch.space)
    np.testing.assert_array_equal(loaded.predict(batch[120:]).mean, predicted.mean)
    parts = [loaded.predict(batch[start : start + 7]).mean for start in range(120, 160, 7)]
    np.testing.assert_allclose(np.concatenate(parts), predicted.mean, rtol=1e-9)


def test_a_batch_that_is_looked_at_in_parts_has_the_same_estimates(
    batch: ArchitectureBatch, additive: Floats, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor = _fitted(batch.with_proxies(pd.DataFrame({"jacov": additive})), additive)
    predictor.predict(batch)
    monkeypatch.setattr(estimated_proxies, "_ESTIMATED_AT_ONCE", 7)
    predictor.predict(batch[np.tile(np.arange(160), 2)])
    in_parts = listener.given[2]
    np.testing.assert_allclose(in_parts[:160], listener.given[1], rtol=1e-9, atol=1e-12)
    pd.testing.assert_frame_equal(in_parts[160:].reset_index(drop=True), in_parts[:160], check_exact=True)


def test_who_reads_proxies_is_given_estimates_and_nobody_else(batch: ArchitectureBatch) -> None:
    told = batch.with_proxies(pd.DataFrame({"jacov": np.arange(160.0)}))
    for reading in (
        ("evidence", {}),
        ("gp", {"proxies": True}),
        ("stack", {"gp": {"proxies": True}}),
        ("multi_fidelity", {"cheap": "evidence"}),
        ("multi_fidelity", {"gp": {"proxies": True}}),
    ):
        assert with_estimates(reading, batch) == reading
        wrapped = with_estimates(reading, told)
        assert wrapped == ("estimated_proxies", {"family": reading[0], "settings": reading[1]})
        assert with_estimates(wrapped, told) == wrapped
    for deaf in (("gcn", {}), ("gp", {}), ("multi_fidelity", {}), ("macs", {})):
        assert not reads_proxies(*deaf)
        assert with_estimates(deaf, told) == deaf


def test_folds_judge_what_estimates_tell_and_each_proxy_beside_them(
    batch: ArchitectureBatch, truth: Floats, evaluations: pd.DataFrame
) -> None:
    """A proxy that no line can tell is worth nothing for networks that nobody has scored, however true it is."""
    scores = network_scores(evaluations, list(batch.space.names(batch.choices)), "accuracy")
    secret = np.random.default_rng(7).permutation(truth)
    own = scores.score.mean(axis=(1, 2))
    told = batch.with_proxies(pd.DataFrame({"own": np.where(np.arange(160), own, np.nan), "secret": secret}))
    rows = proxies_alone(told, scores, folds=4, seed=0)
    table = cross_seed_scores(batch, scores, {"macs": ("macs", {})}, folds=4, seed=0)
    assert rows.columns.tolist() == table.columns.tolist()
    splits = ["protocol", "fold", "fit_seed", "score_seed", "fit_half", "score_half"]
    macs = table[table["protocol"] != "same_seed"]
    for _, of_one in rows.groupby("predictor"):
        assert of_one[splits].to_numpy().tolist() == macs[splits].to_numpy().tolist()
    means = rows.groupby("predictor")[["kendall_tau", "rmse"]].mean()
    assert means.index.tolist() == ["own, untrained", "secret, untrained"]
    assert means.loc["own, untrained", "kendall_tau"] > 0.7
    assert abs(means.loc["secret, untrained", "kendall_tau"]) < 0.2
    assert means["rmse"].isna().all()
    assert proxies_alone(batch, scores, folds=4, seed=0).empty
    spread = fit_one(told, scores, ("evidence", EVIDENCE), 0)
    assert isinstance(spread, EstimatedProxiesPredictor)
    assert isinstance(fit_one(batch, scores, ("evidence", EVIDENCE), 0), EvidencePredictor)
