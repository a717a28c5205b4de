"""What every predictor must do."""

from __future__ import annotations

import pickle
import warnings
from dataclasses import replace

import numpy as np
import pytest

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.errors import ArchatlasError
from archatlas.predictors.make import describe_predictor, load_predictor, make_predictor, state_tensors
from archatlas.predictors.metrics import kendall_tau
from archatlas.predictors.protocol import Evaluations
from archatlas.predictors.registry import PREDICTORS, settings_model
from archatlas.spaces.chain import ChainSpace
from archatlas.spaces.presets import preset
from archatlas.spaces.restricted import restricted

QUICK = {
    "evidence": {"gp": {"ensemble": 2}},
    "flow": {"epochs": 60, "ensemble": 3},
    "gcn": {"epochs": 40},
    "lightgbm": {"trees": 60},
    "multi_fidelity": {"cheap": "ridge"},
    "nasgem": {"graphs": 150, "steps": 60, "width": 32, "dimensions": 16, "refused": False},
    "stack": {"gp": {"ensemble": 2}, "flow": {"epochs": 20}},
}
LEARN = ["evidence", "flow", "gcn", "gp", "lightgbm", "nasgem", "random_forest", "ridge", "stack", "wl"]


@pytest.fixture(scope="module")
def noisy(truth: np.ndarray) -> Evaluations:
    noise = np.full(len(truth), 0.004)
    score = truth + np.random.default_rng(9).normal(scale=noise)
    return Evaluations(score, noise, np.full(len(truth), "supernet"))


@pytest.mark.parametrize("name", PREDICTORS)
def test_shapes_determinism_and_round_trip(name: str, batch: ArchitectureBatch, noisy: Evaluations) -> None:
    known, unseen = batch[:120], batch[120:]
    predictor = make_predictor(name, QUICK.get(name), seed=3)
    predictor.fit(known, noisy[:120])
    predicted = predictor.predict(unseen)
    assert predicted.mean.shape == predicted.std.shape == (40,)
    assert predicted.mean.dtype == predicted.std.dtype == np.float64
    assert np.isfinite(predicted.mean).all()
    assert (predicted.std > 0).all()
    again = make_predictor(name, QUICK.get(name), seed=3)
    again.fit(known, noisy[:120])
    np.testing.assert_array_equal(again.predict(unseen).mean, predicted.mean)
    np.testing.assert_array_equal(again.predict(unseen).std, predicted.std)
    description = describe_predictor(name, QUICK.get(name, {}), 3, "accuracy", known.space)
    loaded = load_predictor(description, state_tensors(predictor.state()), known.space)
    np.testing.assert_array_equal(loaded.predict(unseen).mean, predicted.mean)
    np.testing.assert_array_equal(loaded.predict(unseen).std, predicted.std)


@pytest.mark.parametrize("name", PREDICTORS)
def test_a_second_fit_forgets_the_first(name: str, batch: ArchitectureBatch, noisy: Evaluations) -> None:
    fresh, used = (make_predictor(name, QUICK.get(name), seed=1) for _ in range(2))
    used.fit(batch[60:], noisy[60:])
    used.fit(batch[:60], noisy[:60])
    fresh.fit(batch[:60], noisy[:60])
    np.testing.assert_array_equal(used.predict(batch[:9]).mean, fresh.predict(batch[:9]).mean)


@pytest.mark.parametrize("name", PREDICTORS)
def test_can_be_handed_to_another_process(name: str) -> None:
    made = make_predictor(name, None, seed=3)
    again = pickle.loads(pickle.dumps(made))
    assert type(again) is type(made) is PREDICTORS.load(name)
    assert again.__dict__.keys() == made.__dict__.keys()


@pytest.mark.parametrize("name", PREDICTORS)
def test_refuses_to_predict_before_it_is_fitted(name: str, batch: ArchitectureBatch) -> None:
    predictor = make_predictor(name, None, seed=0)
    for call in (lambda: predictor.predict(batch[:2]), predictor.state):
        with pytest.raises(RuntimeError, match="before fit"):
            call()


@pytest.mark.parametrize("count", [0, 1, 2, 3])
@pytest.mark.parametrize("name", PREDICTORS)
def test_a_few_labels_are_learned_or_refused(name: str, count: int, batch: ArchitectureBatch) -> None:
    """A family says something of the unit of the labels, without a warning, or how many it needs."""
    predictor, fewest = make_predictor(name, QUICK.get(name), seed=0), settings_model(name).fewest
    accuracies = np.array([0.90, 0.86, 0.93])[:count]
    evaluations = Evaluations(accuracies, np.full(count, 0.01), np.full(count, "table"))
    if count < fewest:
        twice = np.tile(np.arange(count), 2)  # As many networks as before.
        for known, scores in ((batch[:count], evaluations), (batch[twice], evaluations[twice])):
            with pytest.raises(ArchatlasError, match=f"`{name}` learns from {fewest} or more .* there are {count}"):
                predictor.fit(known, scores)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        predictor.fit(batch[:count], evaluations)
        predicted = predictor.predict(batch)
    assert np.isfinite(predicted.std).all()
    assert (predicted.std > 0).all()
    assert np.isfinite(predicted.mean).all()
    if count == 1:
        assert (np.abs(predicted.mean - 0.9) < 0.1).all()


@pytest.mark.parametrize("name", LEARN)
@pytest.mark.parametrize("transform", ["raw", "quantile"])
def test_beats_the_constant_and_costs(
    name: str, transform: str, batch: ArchitectureBatch, noisy: Evaluations, truth: np.ndarray
) -> None:
    predictor = make_predictor(name, {**QUICK.get(name, {}), "transform": transform}, seed=0)
    predictor.fit(batch[:120], noisy[:120])
    predicted = predictor.predict(batch[120:])
    constant = make_predictor("constant", None, seed=0)
    constant.fit(batch[:120], noisy[:120])
    zero = constant.predict(batch[120:])
    assert kendall_tau(truth[120:], zero.mean) == 0
    assert kendall_tau(truth[120:], predicted.mean) > 0.5
    assert np.mean((predicted.mean - truth[120:]) ** 2) < np.mean((zero.mean - truth[120:]) ** 2)


@pytest.mark.parametrize("name", PREDICTORS)
def test_twins_are_one_network(name: str, batch: ArchitectureBatch, noisy: Evaluations) -> None:
    space = batch.space
    predictor = make_predictor(name, QUICK.get(name), seed=0)
    predictor.fit(batch[:80], noisy[:80])
    twins = next(rows for rows in map(space.twins, batch.choices) if len(rows) > 1)
    predicted = predictor.predict(ArchitectureBatch(space, twins, cost_table=batch.cost_table))
    assert np.ptp(predicted.mean) == 0
    assert np.ptp(predicted.std) == 0


@pytest.mark.parametrize("name", LEARN)
def test_the_order_of_what_is_predicted_does_not_matter(
    name: str, batch: ArchitectureBatch, noisy: Evaluations
) -> None:
    predictor = make_predictor(name, QUICK.get(name), seed=0)
    predictor.fit(batch[:80], noisy[:80])
    order = np.random.default_rng(0).permutation(40)
    ahead = predictor.predict(batch[80:120]).mean
    np.testing.assert_allclose(predictor.predict(batch[80:120][order]).mean, ahead[order], rtol=1e-5)


def test_macs_and_params_rank_as_the_costs_do(batch: ArchitectureBatch, noisy: Evaluations) -> None:
    for cost in ("macs", "params"):
        predictor = make_predictor(cost, None, seed=0)
        rising = Evaluations(np.log(batch.costs[cost].to_numpy(float)), noisy.noise, noisy.source)
        predictor.fit(batch, rising)
        assert kendall_tau(batch.costs[cost].to_numpy(float), predictor.predict(batch).mean) == pytest.approx(1)


def test_names_and_settings_are_checked() -> None:
    with pytest.raises(ArchatlasError, match=r"no predictor 'gnc'; did you mean `gcn`\?"):
        make_predictor("gnc", None, seed=0)
    with pytest.raises(ArchatlasError, match=r"`predictor.gcn`: there is no setting 'widht'; did you mean `width`\?"):
        make_predictor("gcn", {"widht": 3}, seed=0)
    for name in ("multi_fidelity", "evidence"):
        with pytest.raises(ArchatlasError, match=r"no predictor 'gnc'; did you mean `gcn`\?"):
            make_predictor(name, {"cheap": "gnc"}, seed=0)
        with pytest.raises(ArchatlasError, match=r"`predictor.ridge`: there is no setting 'width'"):
            make_predictor(name, {"cheap": "ridge", "cheap_settings": {"width": 3}}, seed=0)
    with pytest.raises(ArchatlasError, match=r"`predictor.gcn.width`: .*greater than or equal to 1.*got 0"):
        make_predictor("gcn", {"width": 0}, seed=0)


def test_a_predictor_refuses_another_space_and_takes_parts_of_its_own() -> None:
    space = preset("digits", (1, 8, 8), 10)
    assert isinstance(space, ChainSpace)
    rows = space.sample(40, np.random.default_rng(0))
    batch = ArchitectureBatch(space, rows)
    for name, settings in (("ridge", {}), ("gp", {"ensemble": 2}), ("gcn", {"epochs": 2})):
        predictor = make_predictor(name, settings, 0)
        predictor.fit(batch, Evaluations(batch.costs["macs"].to_numpy(np.float64), np.zeros(40), np.full(40, "table")))
        description, state = describe_predictor(name, settings, 0, "accuracy", space), state_tensors(predictor.state())
        others = {
            "reversed": replace(space, operations=space.operations[::-1], tokens=()),
            "wider": replace(space, stem_width=16),
            "larger images": replace(space, input_shape=(1, 16, 16)),
        }
        for other in others.values():
            with pytest.raises(ArchatlasError, match=f"this {name} was fitted to networks of another space"):
                load_predictor(description, state, other)
        for same in (replace(space, num_classes=7, name="other"), restricted(space, space.canonicalise(rows), 40)):
            load_predictor(description, state, same)
