"""A predictor of super-networks' scores that has learned from a few networks trained alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from archatlas.costs.table import costs_of
from archatlas.encodings.batch import ArchitectureBatch
from archatlas.encodings.feature_scaling import FeatureScaling
from archatlas.predictors.families.multi_fidelity import CHEAP
from archatlas.predictors.folds import fold_of
from archatlas.predictors.make import describe_predictor, make_predictor
from archatlas.predictors.metrics import kendall_tau
from archatlas.predictors.protocol import Evaluations, Predictor
from archatlas.predictors.scores import NetworkScores
from archatlas.spaces.protocol import Enumerable, SearchSpace, draw_at_most

Floats = NDArray[np.float64]

ALONE = "standalone"
"""The source of accuracies of networks that were trained alone."""
NETWORK_COLUMNS = ("role", "budget", "network", "macs", "params", "predicted_score")
_POOL = 20_000
_REACH = 0.7
_JITTER = 1e-3
_FOLDS = 5


def no_networks() -> pd.DataFrame:
    """The table of networks where nothing is calibrated."""
    return pd.DataFrame({name: pd.Series(dtype="str") for name in NETWORK_COLUMNS})


def choose_networks(
    space: SearchSpace, predictor: Predictor, count: int, cost_table: pd.DataFrame, generator: np.random.Generator
) -> pd.DataFrame:
    """Networks of all levels of predicted score, and as different as can be: one from each of ``count`` strata.

    Good ones alone would say nothing of how scores fall, and of what the super-network takes for bad. Strata have equal
    size; each gives the network that those chosen before say least of (``most_telling``).

    Args:
        space: all of whose networks are ranked, or a sample of a large one.
        predictor: of the scores.
        count: networks to choose; fewer if there are no more.
        cost_table: counted parts.
        generator: of the sample and of the order of strata.

    Returns:
        ``NETWORK_COLUMNS``, best first; the role is ``calibration``.
    """
    if isinstance(space, Enumerable) and space.networks <= _POOL:
        choices = space.enumerate_networks(0, space.networks)
    else:
        choices = draw_at_most(space, _POOL, generator)
    batch = ArchitectureBatch(space, choices, cost_table=cost_table)
    score = predictor.predict(batch).mean
    strata = np.array_split(np.argsort(-score, kind="stable"), min(count, len(choices)))
    counts = FeatureScaling.find(batch, ("kinds",), costs=False).matrix(batch)
    level = (score - score.mean()) / max(float(score.std()), 1e-9)
    drawn = most_telling(np.column_stack([counts, level]), strata, generator)
    table = costs_of(space, choices[drawn], cost_table)
    table["network"] = pd.Series(space.names(choices[drawn]), dtype="str")
    return table.assign(role="calibration", budget="", predicted_score=score[drawn])[list(NETWORK_COLUMNS)]


def most_telling(
    features: Floats, strata: Sequence[NDArray[np.intp]], generator: np.random.Generator
) -> NDArray[np.intp]:
    """Of each stratum the row that a Gaussian process is least sure of, given the rows chosen from strata before it.

    The process has the covariance ``exp(-|x - x'|^2 / (2 l^2))`` with the length-scale ``l`` of ``_REACH`` and a little
    noise; what it is unsure of does not depend on values, so that all can be chosen before any is known (sequential
    design by variance: MacKay, Neural Computation 4(4), 1992).

    Args:
        features: ``[n, d]``.
        strata: indices of rows, none empty; strata of one row leave nothing to choose.
        generator: of the order of strata, and of the choice among equals.

    Returns:
        a row of each stratum, in the order of ``strata``.
    """
    if all(len(stratum) == 1 for stratum in strata):
        return np.concatenate(strata)
    variance, factor = np.ones(len(features)), np.empty((len(strata), len(features)))
    chosen = np.empty(len(strata), dtype=np.intp)
    for step, place in enumerate(generator.permutation(len(strata))):
        stratum = generator.permutation(strata[place])
        row = chosen[place] = stratum[np.argmax(variance[stratum])]
        covariance = np.exp(-((features - features[row]) ** 2).sum(axis=1) / (2 * _REACH**2))
        covariance -= factor[:step, row] @ factor[:step]
        factor[step] = covariance / np.sqrt(covariance[row] + _JITTER)
        variance -= factor[step] ** 2
    return chosen


def calibrate(
    batch: ArchitectureBatch,
    scores: NetworkScores,
    trainings: pd.DataFrame,
    tuned: Predictor,
    description: Mapping[str, Any],
    seed: int,
) -> tuple[Predictor, dict[str, Any], dict[str, Any]]:
    """The calibrated predictor, its description, and what calibration has brought.

    Args:
        batch: the evaluated sample; a tuned family that estimates proxies learns those that it has anew.
        scores: of its networks on super-networks.
        trainings: network, seed, validation_accuracy of networks trained alone.
        tuned: the predictor of the scores.
        description: of that predictor, {family, settings, target, ...}.
        seed: of the predictor and of the folds.

    Returns:
        fitted ``multi_fidelity`` of the tuned family; {family, settings, seed, target, scores}; and a summary:
        networks, tau_before (of the tuned predictor with the accuracies), tau_after (of predictions for networks left
        out, by folds), tau_alone (the same of a Gaussian process that knows the accuracies alone).
    """
    accuracies = trainings.groupby("network", sort=False)["validation_accuracy"]
    names, truth = accuracies.mean().index.to_list(), accuracies.mean().to_numpy(dtype=np.float64)
    known = ArchitectureBatch(batch.space, batch.space.parse(names), cost_table=batch.cost_table)
    settings = {"cheap": description["family"], "cheap_settings": dict(description["settings"])}
    contender = ("multi_fidelity", settings)
    true = Evaluations(truth, np.full(len(truth), _noise(accuracies)), np.full(len(truth), ALONE))
    cheap = replace(scores.evaluations(), source=np.full(len(batch), CHEAP))

    def fitted(rows: NDArray[np.bool_], with_scores: bool = True) -> Predictor:
        predictor = make_predictor(*contender, seed)
        predictor.fit(*_together(batch, cheap, known[rows], true[rows]) if with_scores else (known[rows], true[rows]))
        return predictor

    fold = fold_of(len(truth), _FOLDS, seed)
    held_out = {name: np.empty(len(truth)) for name in ("after", "alone")}
    for number in range(_FOLDS):
        left = fold == number
        for name in held_out:
            held_out[name][left] = fitted(~left, name == "after").predict(known[left]).mean
    calibrated = fitted(np.ones(len(truth), dtype=np.bool_))
    summary = {
        "networks": len(truth),
        "tau_before": kendall_tau(truth, tuned.predict(known).mean),
        **{f"tau_{name}": kendall_tau(truth, mean) for name, mean in held_out.items()},
    }
    document = {**describe_predictor(*contender, seed, "accuracy", batch.space), "scores": description["target"]}
    return calibrated, document, summary


def _noise(accuracies: Any) -> float:
    """Standard error of a network's mean over its trainings; 0, for the predictor to find, where there is only one."""
    counts = accuracies.count()
    if counts.min() < 2:
        return 0.0
    return float(np.sqrt((accuracies.var(ddof=1) / counts).mean()))


def _together(
    batch: ArchitectureBatch, cheap: Evaluations, known: ArchitectureBatch, true: Evaluations
) -> tuple[ArchitectureBatch, Evaluations]:
    both = ArchitectureBatch(batch.space, np.concatenate([batch.choices, known.choices]), cost_table=batch.cost_table)
    if batch.proxies is not None:
        both = both.with_proxies(batch.proxies.reset_index(drop=True).reindex(range(len(both))))
    parts = ((getattr(cheap, name), getattr(true, name)) for name in ("score", "noise", "source"))
    return both, Evaluations(*(np.concatenate(part) for part in parts))
