from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from archatlas.costs.counting import count_parts
from archatlas.encodings.batch import ArchitectureBatch
from archatlas.predictors.make import describe_predictor, load_predictor, make_predictor
from archatlas.predictors.metrics import kendall_tau
from archatlas.predictors.protocol import Predictor
from archatlas.predictors.registry import PREDICTORS
from archatlas.predictors.scores import NetworkScores
from archatlas.spaces.parameters import SpaceParameters
from archatlas.spaces.presets import make_space
from archatlas.verification.calibration import calibrate, choose_networks, most_telling

SPACE = make_space(
    SpaceParameters.model_validate(
        {"stem_width": 4, "stages": [{"width": 4, "depth": 3}, {"width": 8, "depth": 2, "stride": 2}]}
    ),
    (1, 8, 8),
    10,
)
PARTS = count_parts(SPACE)
TUNED = describe_predictor("ridge", {"features": "kinds"}, 0, "accuracy", SPACE)


def whole() -> ArchitectureBatch:
    return ArchitectureBatch(SPACE, SPACE.enumerate_networks(0, SPACE.networks), cost_table=PARTS)


def truth_of(batch: ArchitectureBatch) -> np.ndarray:
    """Deeper is better, and so are large kernels in the second stage."""
    stages = np.split(batch.choices, [3], axis=1)
    skip = max(SPACE.num_choices) - 1
    deep = sum((stage != skip).sum(axis=1) for stage in stages)
    return np.asarray(0.8 + 0.02 * deep + 0.01 * (stages[1] % 2).sum(axis=1), dtype=np.float64)


def scores_of(batch: ArchitectureBatch, score: np.ndarray) -> NetworkScores:
    return NetworkScores(
        (0,), ("all",), score[:, None, None], np.full((len(batch), 1), 0.01), np.full(len(batch), "supernet")
    )


@pytest.fixture(scope="module")
def sample() -> tuple[ArchitectureBatch, NetworkScores]:
    """Scores of a super-network that sees MACs where there is truth, and some of the truth."""
    generator = np.random.default_rng(0)
    batch = whole()[generator.permutation(SPACE.networks)[:200]]
    macs = np.log(batch.costs["macs"].to_numpy(dtype=np.float64))
    score = 0.3 + 0.05 * (macs - macs.mean()) / macs.std() + truth_of(batch) - 0.8
    return batch, scores_of(batch, score + generator.normal(scale=0.01, size=200))


def test_whatever_family_a_study_may_pick_can_be_calibrated(sample: tuple[ArchitectureBatch, NetworkScores]) -> None:
    """``tuning.families`` takes all of the registry's, and so does the predictor of cheap scores."""
    batch, scores = sample
    rows = np.arange(10)
    trainings = pd.DataFrame(
        {"network": batch.space.names(batch.choices[rows]), "seed": 0, "validation_accuracy": truth_of(batch[rows])}
    )
    predictor = make_predictor("macs", {}, 0)
    predictor.fit(batch, scores.evaluations())
    described = describe_predictor("macs", {}, 0, "accuracy", SPACE)
    calibrated, document, _ = calibrate(batch, scores, trainings, predictor, described, seed=0)
    assert document["settings"]["cheap"] == "macs"
    assert np.isfinite(calibrated.predict(batch).mean).all()
    for family in PREDICTORS:
        make_predictor("multi_fidelity", {"cheap": family}, 0)


def tuned(sample: tuple[ArchitectureBatch, NetworkScores]) -> Predictor:
    predictor = make_predictor(TUNED["family"], TUNED["settings"], 0)
    predictor.fit(sample[0], sample[1].evaluations())
    return predictor


def test_networks_of_all_levels_are_chosen(sample: tuple[ArchitectureBatch, NetworkScores]) -> None:
    predictor = tuned(sample)
    chosen = choose_networks(SPACE, predictor, 20, PARTS, np.random.default_rng(1))
    assert chosen["network"].nunique() == 20
    assert (chosen["role"] == "calibration").all()
    assert chosen["predicted_score"].is_monotonic_decreasing
    every = np.sort(-predictor.predict(whole()).mean)
    strata = np.array_split(-every, 20)
    for score, stratum in zip(chosen["predicted_score"], strata, strict=True):
        assert stratum.min() - 1e-9 <= score <= stratum.max() + 1e-9
    batch = ArchitectureBatch(SPACE, SPACE.parse(chosen["network"].tolist()), cost_table=PARTS)
    np.testing.assert_array_equal(chosen["macs"], batch.costs["macs"])
    again = choose_networks(SPACE, predictor, 20, PARTS, np.random.default_rng(1))
    pd.testing.assert_frame_equal(chosen, again)
    few = choose_networks(SPACE, predictor, 10**6, PARTS, np.random.default_rng(1))
    assert len(few) == SPACE.networks


def test_each_stratum_gives_what_those_before_it_say_least_of() -> None:
    features = np.random.default_rng(0).normal(size=(40, 3))
    strata = np.array_split(np.arange(40), 8)
    chosen = most_telling(features, strata, np.random.default_rng(5))
    order = np.random.default_rng(5).permutation(8)
    distance = ((features[:, None] - features[None]) ** 2).sum(axis=2)
    covariance = np.exp(-distance / (2 * 0.7**2))
    for step in range(1, 8):
        known, stratum = chosen[order[:step]], strata[order[step]]
        between = covariance[np.ix_(stratum, known)]
        explained = between @ np.linalg.solve(covariance[np.ix_(known, known)] + 1e-3 * np.eye(step), between.T)
        assert chosen[order[step]] == stratum[np.argmin(np.diag(explained))]
    alone = [np.array([place]) for place in (3, 1, 2)]
    assert most_telling(features, alone, np.random.default_rng(0)).tolist() == [3, 1, 2]


def test_a_calibrated_predictor_speaks_of_accuracies_and_ranks_better(
    sample: tuple[ArchitectureBatch, NetworkScores],
) -> None:
    predictor = tuned(sample)
    chosen = choose_networks(SPACE, predictor, 40, PARTS, np.random.default_rng(1))
    known = ArchitectureBatch(SPACE, SPACE.parse(chosen["network"].tolist()), cost_table=PARTS)
    accuracy = truth_of(known) + np.random.default_rng(2).normal(scale=0.002, size=(2, 40))
    trainings = pd.DataFrame(
        {
            "network": np.tile(chosen["network"], 2),
            "seed": np.repeat([0, 1], 40),
            "validation_accuracy": accuracy.reshape(-1),
        }
    )
    fitted, description, summary = calibrate(*sample, trainings, predictor, TUNED, 0)
    everything, truth = whole(), truth_of(whole())
    said = fitted.predict(everything)
    before = kendall_tau(truth, predictor.predict(everything).mean)
    assert kendall_tau(truth, said.mean) > before + 0.05
    assert np.abs(said.mean - truth).mean() < 0.01  # The super-network's scores are half as high.
    assert summary["networks"] == 40
    assert summary["tau_after"] > summary["tau_before"]
    assert summary["tau_before"] == kendall_tau(accuracy.mean(axis=0), predictor.predict(known).mean)
    assert description["target"] == "accuracy"
    loaded = load_predictor(description, fitted.state(), SPACE)
    np.testing.assert_array_equal(loaded.predict(everything).mean, said.mean)


def test_scores_without_training_of_the_sample_are_estimated_for_networks_that_are_trained(
    sample: tuple[ArchitectureBatch, NetworkScores],
) -> None:
    batch, scores = sample
    told = batch.with_proxies(pd.DataFrame({"nwot": truth_of(batch)}))
    settings = {"family": "gp", "settings": {"proxies": True, "ensemble": 2}}
    predictor = make_predictor("estimated_proxies", settings, 0)
    predictor.fit(told, scores.evaluations())
    chosen = choose_networks(SPACE, predictor, 15, PARTS, np.random.default_rng(1))
    assert not set(chosen["network"]) <= set(SPACE.names(batch.choices))
    accuracy = truth_of(ArchitectureBatch(SPACE, SPACE.parse(chosen["network"].tolist())))
    trainings = pd.DataFrame({"network": chosen["network"], "seed": 0, "validation_accuracy": accuracy})
    described = describe_predictor("estimated_proxies", settings, 0, "accuracy", SPACE)
    fitted, description, _ = calibrate(told, scores, trainings, predictor, described, 0)
    assert description["settings"] == {"cheap": "estimated_proxies", "cheap_settings": settings}
    loaded = load_predictor(description, fitted.state(), SPACE)
    np.testing.assert_array_equal(loaded.predict(whole()).mean, fitted.predict(whole()).mean)
    assert kendall_tau(truth_of(whole()), loaded.predict(whole()).mean) > 0.6


def test_what_is_left_out_is_not_learned(sample: tuple[ArchitectureBatch, NetworkScores]) -> None:
    """Accuracies that are noise cannot be told in advance."""
    predictor = tuned(sample)
    chosen = choose_networks(SPACE, predictor, 40, PARTS, np.random.default_rng(3))
    noise = np.random.default_rng(4).normal(scale=0.01, size=40)
    trainings = pd.DataFrame({"network": chosen["network"], "seed": 0, "validation_accuracy": 0.9 + noise})
    summary = calibrate(*sample, trainings, predictor, TUNED, 0)[2]
    assert abs(summary["tau_after"]) < 0.3
    assert abs(summary["tau_alone"]) < 0.3
