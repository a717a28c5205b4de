from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import numpy as np
import optuna
import pandas as pd
import pytest

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.engines.engine import using
from archatlas.predictors.make import make_predictor
from archatlas.predictors.parameters import PredictorParameters, TuningParameters
from archatlas.predictors.scores import NetworkScores, network_scores
from archatlas.predictors.tuning import study as tuning_module
from archatlas.predictors.tuning.space import contender_of, defaults, suggest
from archatlas.predictors.tuning.study import choose, tune
from archatlas.predictors.tuning.trials import describe_trial, read_trial
from archatlas.storage.work_store import WorkStore

if TYPE_CHECKING:
    from tests.predictors.conftest import Elsewhere

FAMILIES = get_args(get_args(TuningParameters.model_fields["families"].annotation)[0])
TUNING = TuningParameters(trials=9, families=("ridge", "lightgbm"), inner_folds=2)


@pytest.fixture(scope="module")
def scores(batch: ArchitectureBatch, evaluations: pd.DataFrame) -> NetworkScores:
    return network_scores(evaluations, list(batch.space.names(batch.choices)), "accuracy")


@pytest.fixture(scope="module")
def quick() -> PredictorParameters:
    return PredictorParameters.model_validate({"gcn": {"epochs": 5}, "lightgbm": {"trees": 20}})


def test_a_resumed_study_equals_an_uninterrupted_one(
    batch: ArchitectureBatch,
    scores: NetworkScores,
    quick: PredictorParameters,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = tune(batch, scores, quick, TUNING, seed=0, work=WorkStore(tmp_path / "whole"))
    assert whole.summary["trials"] == len(whole.trials) == 9
    assert whole.trials["default"].tolist()[:3] == ["ridge", "ridge_kinds", "lightgbm"]
    assert whole.summary["family"] in TUNING.families
    assert set(whole.summary["outer_baselines"]) >= {"ridge", "lightgbm", "macs", "params", "gcn", "constant"}
    assert whole.summary["outer_kendall_tau"] > 0.3
    assert whole.summary["protocol"] == "cross_seed"

    objective = tuning_module._objective

    calls = iter(range(9))

    def killed(trial: optuna.Trial, *rest: object) -> list[float]:
        if next(calls) == 6:
            raise KeyboardInterrupt
        return objective(trial, *rest)  # type: ignore[arg-type]

    work = WorkStore(tmp_path / "broken")
    monkeypatch.setattr(tuning_module, "_objective", killed)
    with pytest.raises(KeyboardInterrupt):
        tune(batch, scores, quick, TUNING, seed=0, work=work)
    monkeypatch.undo()
    resumed = tune(batch, scores, quick, TUNING, seed=0, work=work)
    pd.testing.assert_frame_equal(resumed.trials, whole.trials)
    assert resumed.summary == whole.summary
    again = tune(batch, scores, quick, TUNING, seed=0, work=work)  # nothing is left to do
    assert again.summary == whole.summary
    other = tune(batch, scores, quick, TUNING.model_copy(update={"trials": 3}), seed=0, work=work)
    assert other.summary["trials"] == 3  # other parameters, another study


def test_a_study_whose_folds_are_fitted_elsewhere_is_the_same(
    batch: ArchitectureBatch,
    scores: NetworkScores,
    quick: PredictorParameters,
    tmp_path: Path,
    elsewhere: Elsewhere,
) -> None:
    tuning = TUNING.model_copy(update={"trials": 14, "families": ("ridge",), "inner_folds": 3})
    here = tune(batch, scores, quick, tuning, seed=0, work=WorkStore(tmp_path / "here"))
    with using(elsewhere):
        there = tune(batch, scores, quick, tuning, seed=0, work=WorkStore(tmp_path / "there"))
    assert (here.trials["state"] == "pruned").any()
    assert len(elsewhere.ended) == 14 * 3 + 1 + len(here.summary["outer_baselines"])
    pd.testing.assert_frame_equal(there.trials, here.trials, check_exact=True)
    assert (there.contender, there.summary) == (here.contender, here.summary)
    kept, others = (
        {file.name: file.read_bytes() for file in (tmp_path / place).glob("*/*.json")} for place in ("here", "there")
    )
    assert kept == others
    assert len(kept) == 14


def test_a_damaged_trial_is_made_anew_and_the_others_are_not(
    batch: ArchitectureBatch,
    scores: NetworkScores,
    quick: PredictorParameters,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tuning = TUNING.model_copy(update={"trials": 6})
    first = tune(batch, scores, quick, tuning, seed=0, work=WorkStore(tmp_path))
    (part,) = tmp_path.glob("*/trial_000004.json")
    whole = part.read_bytes()
    part.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
    objective, made = tuning_module._objective, []
    monkeypatch.setattr(tuning_module, "_objective", lambda *given: (made.append(1), objective(*given))[1])
    again = tune(batch, scores, quick, tuning, seed=0, work=WorkStore(tmp_path))
    assert len(made) == 1
    assert part.read_bytes() == whole
    pd.testing.assert_frame_equal(again.trials, first.trials)
    assert again.summary == first.summary


def test_a_trial_comes_back_as_it_was() -> None:
    study = optuna.create_study(direction="maximize")
    study.enqueue_trial({"family": "a"}, user_attrs={"default": "a"})
    for value in (0.1 + 0.2, None):
        trial = study.ask()
        trial.suggest_categorical("family", ["a", "b"])
        trial.suggest_float("rate", 1e-5, 1e-1, log=True)
        trial.suggest_int("depth", 1, 9, step=2)
        trial.set_user_attr("taus", [1 / 3, 0.7])
        trial.report(2 / 3, 0)
        study.tell(trial, value, state=optuna.trial.TrialState.PRUNED if value is None else None)
    for trial in study.trials:
        back = read_trial(json.loads(json.dumps(describe_trial(trial))))
        for field in ("state", "value", "params", "distributions", "intermediate_values", "user_attrs"):
            assert getattr(back, field) == getattr(trial, field), field


def _study(trials: list[tuple[str | None, list[float]]]) -> optuna.Study:
    study = optuna.create_study(direction="maximize")
    for default, taus in trials:
        trial = study.ask()
        trial.set_user_attr("taus", taus)
        if default:
            trial.set_user_attr("default", default)
        study.tell(trial, float(np.mean(taus)))
    return study


def test_a_lucky_trial_does_not_displace_a_default_within_its_error() -> None:
    def chosen(*trials: tuple[str | None, list[float]], configured: str = "gcn") -> int:
        return choose(_study(list(trials)), configured, folds=2).number

    assert chosen(("gcn", [0.50, 0.60]), (None, [0.53, 0.58])) == 0  # Ahead by .005, error .043.
    assert chosen(("gcn", [0.50, 0.60]), (None, [0.55, 0.64])) == 1


def test_the_configured_family_goes_first_among_what_is_within_the_error() -> None:
    trials = [("gcn", [0.50, 0.60]), ("ridge", [0.51, 0.62]), (None, [0.50, 0.64])]
    assert choose(_study(trials), "gcn", folds=2).number == 0  # Behind by .02, error .035.
    assert choose(_study(trials), "ridge", folds=2).number == 1
    assert choose(_study(trials), "lightgbm", folds=2).number == 1  # Not in the study: the best default.


def test_folds_and_not_pairings_are_what_scatters() -> None:
    """Two pairings of each of two folds: leads of the folds .02 and .02, whatever the pairings say."""
    trials = [("gcn", [0.50, 0.50, 0.50, 0.50]), (None, [0.40, 0.64, 0.64, 0.40])]
    assert choose(_study(trials), "gcn", folds=2).number == 1


def test_defaults_are_what_is_configured() -> None:
    parameters = PredictorParameters.model_validate({"gcn": {"learning_rate": 0.03}})
    asked = defaults(parameters, ("gcn", "ridge"))
    assert list(asked) == ["gcn", "gcn_alone", "ridge", "ridge_kinds"]
    assert contender_of(asked["gcn"], parameters) == ("gcn", parameters.gcn.model_dump())
    assert contender_of(asked["gcn_alone"], parameters)[1]["additive"] == "none"


@pytest.mark.parametrize("family", FAMILIES)
def test_what_a_study_may_suggest_can_be_made(family: str) -> None:
    parameters = PredictorParameters()
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for asked in defaults(parameters, (family,)).values():
        make_predictor(*contender_of(asked, parameters), seed=0)
    for _ in range(20):
        trial = study.ask()
        chosen, settings = contender_of(suggest(trial, (family,)), parameters)
        assert chosen == family
        make_predictor(chosen, settings, seed=0)
        study.tell(trial, 0.0)
