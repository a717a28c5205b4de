from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import pytest

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.predictors import tuning as tuning_module
from archatlas.predictors.parameters import PredictorParameters, TuningParameters
from archatlas.predictors.scores import NetworkScores, network_scores
from archatlas.predictors.tuning import choose, tune
from archatlas.predictors.tuning_owner import discard_abandoned, process_id
from archatlas.predictors.tuning_space import contender_of, defaults
from archatlas.storage.work_store import WorkStore

TUNING = TuningParameters(trials=12, families=("ridge", "lightgbm"), inner_folds=2)


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
    assert whole.summary["trials"] == len(whole.trials) == 12
    assert whole.trials["default"].tolist()[:3] == ["ridge", "ridge_stage_counts", "lightgbm"]
    assert whole.summary["family"] in TUNING.families
    assert set(whole.summary["outer_baselines"]) >= {"ridge", "lightgbm", "macs", "params", "gcn", "constant"}
    assert whole.summary["outer_kendall_tau"] > 0.3
    assert whole.summary["protocol"] == "cross_seed"

    objective = tuning_module._objective

    calls = iter(range(12))

    def killed(trial: optuna.Trial, *rest: object) -> list[float]:
        if next(calls) == 8:
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


def test_trials_of_dead_processes_are_discarded(tmp_path: Path) -> None:
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(tmp_path / "journal")))
    study = optuna.create_study(storage=storage, study_name="s")
    owner = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        alive = study.ask()
        alive.set_user_attr("process", process_id().replace(str(os.getpid()), str(owner.pid)))
        mine = study.ask()
        mine.set_user_attr("process", process_id())
        elsewhere = study.ask()
        elsewhere.set_user_attr("process", '{"host": "another machine", "pid": 1, "started": ""}')
        study.ask()  # just born, and says not yet whose it is
        started = Path(f"/proc/{owner.pid}/stat")
        if started.exists():
            own = started.read_text().rpartition(")")[2].split()[19]
            words = f'{{"host": "{os.uname().nodename}", "pid": {owner.pid}, "started": "{own}"}}'
            alive.set_user_attr("process", words)
        assert discard_abandoned(study) == 1  # mine: this process has begun no trial since
        states = [trial.state.name for trial in study.trials]
        assert states == ["RUNNING", "FAIL", "RUNNING", "RUNNING"]
    finally:
        owner.send_signal(signal.SIGKILL)
        owner.wait()
    time.sleep(0.05)
    assert discard_abandoned(study) == 1


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
    assert choose(_study([("gcn", [0.50, 0.60]), (None, [0.53, 0.58])])).number == 0  # ahead by .005, error .025
    assert choose(_study([("gcn", [0.50, 0.60]), (None, [0.55, 0.64])])).number == 1  # ahead by .045, error .005
    assert choose(_study([("gcn", [0.50, 0.60]), ("ridge", [0.52, 0.61]), (None, [0.53, 0.6])])).number == 1


def test_defaults_are_what_is_configured() -> None:
    parameters = PredictorParameters.model_validate({"gcn": {"learning_rate": 0.03}})
    asked = defaults(parameters, ("gcn", "ridge"))
    assert list(asked) == ["gcn", "gcn_alone", "ridge", "ridge_stage_counts"]
    assert contender_of(asked["gcn"], parameters) == ("gcn", parameters.gcn.model_dump())
    assert contender_of(asked["gcn_alone"], parameters)[1]["additive"] == "none"
