"""An Optuna study over predictors and their settings, and an honest score of what it chose."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.engines.engine import shares_or_here, side_by_side
from archatlas.predictors.fitting import Contender, compared, predicted_pairs
from archatlas.predictors.folds import fold_of
from archatlas.predictors.metrics import kendall_tau, paired_bootstrap_interval
from archatlas.predictors.noise import variance_over_folds
from archatlas.predictors.parameters import PredictorParameters, TuningParameters
from archatlas.predictors.registry import reads_proxies
from archatlas.predictors.scores import NetworkScores
from archatlas.predictors.tuning.space import contender_of, defaults, suggest
from archatlas.predictors.tuning.trials import describe_trial, read_trial
from archatlas.progress import progress_bar
from archatlas.storage.work_store import WorkStore

if TYPE_CHECKING:
    import optuna

_STARTUP_TRIALS = 8
_OUTER_SAMPLES = 500
_SAMPLING = 0
"""Which of the streams of random numbers that depend on the seed and the number of a trial."""
_MOST_REPEATED = 10
"""Suggestions in a row that are thrown away because the study knows their value."""


@dataclass(frozen=True)
class Tuned:
    """A study's answer: the contender, the table of trials, and the summary (see :func:`tune`)."""

    contender: Contender
    trials: pd.DataFrame
    summary: dict[str, Any]


def tune(
    batch: ArchitectureBatch,
    scores: NetworkScores,
    predictor: PredictorParameters,
    tuning: TuningParameters,
    *,
    seed: int,
    work: WorkStore,
) -> Tuned:
    """Search on a part of the networks, choose, and score the choice on the rest, which the study has not seen.

    The objective of a trial is the mean Kendall tau-b over inner folds and pairings
    (:mod:`archatlas.predictors.fitting`): fit one super-network, rank against another. Trials lie in the work folder
    under the fingerprint of the study's parameters and scores, so that a killed run repeats one trial at most.

    The summary holds family, settings, inner_kendall_tau, outer_kendall_tau, outer_baselines {name: tau} and
    outer_difference_to {name: {tau, ci}} (tuned less baseline, paired bootstrap of the outer networks), trials,
    protocol.
    """
    outer = outer_rows(len(batch), tuning, seed)
    seen, seen_scores = batch[~outer], scores[~outer]
    read = _proxies_read(batch, predictor, tuning)
    task = work.task("tune_predictor", predictor, tuning, seed, batch.choices, scores.score, scores.image_noise, read)
    study = run_study(seen, seen_scores, predictor, tuning, seed, task)
    best = choose(study, predictor.name, tuning.inner_folds)
    contender = contender_of(best.params, predictor)
    judged = [contender, *compared(predictor).values()]
    given = judged, batch, scores, ~outer, seed
    with side_by_side(
        _outer_predictions, range(len(judged)), *given, shares=shares_or_here(len(judged), threads=1)
    ) as results:
        outcome = dict(results)
    protocol, truth, tuned = outcome[0]
    baselines: dict[str, float] = {}
    differences: dict[str, Any] = {}
    for place, name in enumerate(compared(predictor), start=1):
        _, _, predicted = outcome[place]
        baselines[name] = _mean_tau(truth, predicted)
        interval = paired_bootstrap_interval(truth, tuned, predicted, samples=_OUTER_SAMPLES, seed=seed)
        differences[name] = {"tau": _mean_tau(truth, tuned) - baselines[name], "ci": list(interval)}
    summary = {
        "family": contender[0],
        "settings": dict(contender[1]),
        "protocol": protocol,
        "inner_kendall_tau": best.value,
        "outer_kendall_tau": _mean_tau(truth, tuned),
        "outer_baselines": baselines,
        "outer_difference_to": differences,
        "outer_networks": int(outer.sum()),
        "trials": len(_finished(study)),
    }
    return Tuned(contender, _trials_table(study), summary)


def _proxies_read(
    batch: ArchitectureBatch, predictor: PredictorParameters, tuning: TuningParameters
) -> dict[str, NDArray[np.float64]]:
    """The batch's proxies by name, where a family of the study reads them: no other trial depends on them."""
    if batch.proxies is None or not any(reads_proxies(one, predictor.settings_of(one)) for one in tuning.families):
        return {}
    return {str(name): column.to_numpy(np.float64) for name, column in batch.proxies.items()}


def outer_rows(count: int, tuning: TuningParameters, seed: int) -> NDArray[np.bool_]:
    """Which of ``count`` networks the study never sees, bool ``[count]``."""
    outer = np.zeros(count, dtype=np.bool_)
    outer[np.random.default_rng([seed, 1]).permutation(count)[: round(count * tuning.outer_fraction)]] = True
    return outer


# -- The study ---------------------------------------------------------------------------------------------------------


def run_study(
    batch: ArchitectureBatch,
    scores: NetworkScores,
    predictor: PredictorParameters,
    tuning: TuningParameters,
    seed: int,
    parts: WorkStore,
) -> optuna.Study:
    """The study, in memory; each finished trial is a part. Trials that were asked for in vain are forgotten."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=_STARTUP_TRIALS)
    study = optuna.create_study(direction="maximize", pruner=pruner)
    first = defaults(predictor, tuning.families)
    with progress_bar(total=tuning.trials, desc="tuning", unit="trial") as bar:
        for number in range(tuning.trials):
            # What a trial is depends on those before it alone, so one whose part is lost is made anew as it was.
            known = parts.load_json(_part(number))
            if known is not None:
                study.add_trial(read_trial(known))
            else:
                trial = _new_trial(study, batch, scores, predictor, tuning, first, seed)
                parts.save_json(_part(number), describe_trial(trial))
            bar.update(1)
    return study


def _part(number: int) -> str:
    return f"trial_{number:06d}"


def _new_trial(
    study: optuna.Study,
    batch: ArchitectureBatch,
    scores: NetworkScores,
    predictor: PredictorParameters,
    tuning: TuningParameters,
    first: Mapping[str, dict[str, Any]],
    seed: int,
) -> optuna.trial.FrozenTrial:
    """Ask for a trial that the study does not know yet, and finish it."""
    import optuna

    repeated = 0
    while True:
        _ask_for_a_default(study, first)
        study.sampler = _sampler(seed, len(_finished(study)), repeated)
        trial = study.ask()
        contender = contender_of(suggest(trial, tuning.families), predictor)
        if repeated < _MOST_REPEATED and any(one.params == trial.params for one in _finished(study)):
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
            repeated += 1
            continue
        try:
            taus = _objective(trial, batch, scores, contender, tuning.inner_folds, seed)
        except optuna.TrialPruned:
            return study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        trial.set_user_attr("taus", taus)
        return study.tell(trial, float(np.mean(taus)))


def _sampler(seed: int, finished: int, repeated: int) -> optuna.samplers.BaseSampler:
    """A sampler whose draws depend on what is finished and on vain attempts alone.

    So a resumed study asks as an uninterrupted one would. TPE would ask for a good point of a small family again and
    again; once the study knows a suggestion, it draws at random instead.
    """
    import optuna

    drawn = int(np.random.SeedSequence([seed, finished, _SAMPLING, repeated]).generate_state(1)[0])
    if repeated:
        return optuna.samplers.RandomSampler(seed=drawn)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.TPESampler(
            seed=drawn,
            n_startup_trials=_STARTUP_TRIALS,
            multivariate=True,
            group=True,
            constant_liar=True,
        )


def _objective(
    trial: optuna.Trial,
    batch: ArchitectureBatch,
    scores: NetworkScores,
    contender: Contender,
    folds: int,
    seed: int,
) -> list[float]:
    """Kendall tau-b of every inner fold and pairing; a trial below the median of the others at its fold is pruned.

    Folds are what is divided among machines, as trials follow from each other. All are fitted there at once, and told
    in their order: of a trial that is pruned the later ones were in vain.
    """
    import optuna

    shares = shares_or_here(folds, threads=1)
    given = contender, batch, scores, fold_of(len(batch), folds, seed), seed
    taus: list[float] = []
    with side_by_side(_taus_of_fold, range(folds), *given, shares=shares) as results:
        for number, found in results if shares.here else sorted(results):
            taus += found
            trial.report(float(np.mean(taus)), number)
            if number < folds - 1 and "default" not in trial.user_attrs and trial.should_prune():
                raise optuna.TrialPruned
    return taus


def _taus_of_fold(
    number: int,
    contender: Contender,
    batch: ArchitectureBatch,
    scores: NetworkScores,
    fold: NDArray[np.int64],
    seed: int,
) -> tuple[int, list[float]]:
    """The number of a fold, and Kendall tau-b of its pairings."""
    pairs = predicted_pairs(batch, scores, contender, fold != number, number, seed)
    return number, [kendall_tau(truth, mean) for pairing, truth, mean in pairs if pairing.protocol != "same_seed"]


def _finished(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))


def _ask_for_a_default(study: optuna.Study, first: Mapping[str, dict[str, Any]]) -> None:
    """Put the next default that has not been tried at the head of the queue."""
    taken = {trial.user_attrs.get("default") for trial in _finished(study)}
    for name, asked in first.items():
        if name not in taken:
            study.enqueue_trial(asked, user_attrs={"default": name})
            return


def choose(study: optuna.Study, configured: str, folds: int) -> optuna.trial.FrozenTrial:
    """The trial that the study stands for: the best, unless what was there before the data is within its error.

    The best of many trials is partly lucky. If its lead over the default of the ``configured`` family is within the
    error of that lead, that default is taken; if not, the best of the defaults that it does not lead by more.
    """
    from optuna.trial import TrialState

    trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    best = max(trials, key=lambda trial: (_value(trial), -trial.number))
    within = [
        trial
        for trial in trials
        if "default" in trial.user_attrs and _is_within_error(best.user_attrs["taus"], trial.user_attrs["taus"], folds)
    ]
    asked_for = [trial for trial in within if trial.user_attrs["default"] == configured]
    return max(asked_for or within or [best], key=lambda trial: (_value(trial), -trial.number))


def _value(trial: optuna.trial.FrozenTrial) -> float:
    return float(trial.value) if trial.value is not None else float("-inf")


def _is_within_error(best: list[float], other: list[float], folds: int) -> bool:
    """Whether the lead, averaged fold by fold, is at most its standard error (``noise.variance_over_folds``)."""
    lead = (np.array(best) - np.array(other)).reshape(folds, -1).mean(axis=1)
    return bool(lead.mean() <= variance_over_folds(lead) ** 0.5)


# -- Tables ------------------------------------------------------------------------------------------------------------


def _trials_table(study: optuna.Study) -> pd.DataFrame:
    """Columns trial, state, value, family, default, settings (JSON), a row per finished trial."""
    rows = [
        {
            "trial": number,
            "state": trial.state.name.lower(),
            "value": _value(trial) if trial.state.name == "COMPLETE" else float("nan"),
            "family": str(trial.params["family"]),
            "default": str(trial.user_attrs.get("default", "")),
            "settings": json.dumps({k.partition(".")[2]: v for k, v in trial.params.items() if k != "family"}),
        }
        for number, trial in enumerate(_finished(study))
    ]
    return pd.DataFrame(rows)


def _outer_predictions(
    place: int,
    contenders: Sequence[Contender],
    batch: ArchitectureBatch,
    scores: NetworkScores,
    fitted_on: NDArray[np.bool_],
    seed: int,
) -> tuple[int, tuple[str, NDArray[np.float64], NDArray[np.float64]]]:
    """The place of a contender, and: protocol, truths and predictions ``[outer, pairings]``."""
    pairs = [
        pair
        for half in range(len(scores.halves))
        for pair in predicted_pairs(batch, scores, contenders[place], fitted_on, half, seed)
        if pair[0].protocol != "same_seed"
    ]
    truth = np.stack([pair[1] for pair in pairs], axis=1)
    predicted = np.stack([pair[2] for pair in pairs], axis=1)
    return place, (pairs[0][0].protocol, truth, predicted)


def _mean_tau(truth: NDArray[np.float64], predicted: NDArray[np.float64]) -> float:
    return float(np.mean([kendall_tau(t, p) for t, p in zip(truth.T, predicted.T, strict=True)]))
