"""Predictors compared on what they have not seen, and the one that is fitted on everything.

A predictor that is scored against the super-network that it was fitted to is rewarded for learning that super-network's
bias. So the fit reads the scores of one super-network on one part of the validation images, and what counts is how the
predictions for held-out networks rank against **another** super-network on the **other** part (protocol
``cross_seed``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.engines.engine import shares_or_here, side_by_side
from archatlas.predictors.folds import fold_of
from archatlas.predictors.make import make_predictor
from archatlas.predictors.metrics import METRICS
from archatlas.predictors.parameters import PredictorParameters
from archatlas.predictors.protocol import Predictor
from archatlas.predictors.registry import reads_proxies
from archatlas.predictors.scores import NetworkScores
from archatlas.progress import progress_bar

Floats = NDArray[np.float64]
Contender = tuple[str, Mapping[str, Any]]
"""A family and its settings."""

ESTIMATED = "estimated_proxies"
"""The family that gives another estimates of proxies."""


@dataclass(frozen=True)
class Pairing:
    """Fit on one seed and half, score on another; all four are indices. ``protocol`` says what they share.

    ``cross_seed``: neither the super-network nor, where there are two halves, the images. ``cross_half``: with a single
    super-network, the images alone differ. ``held_out``: with a single half too, only the networks differ.
    ``same_seed``: a diagnostic, the very scores that the fit reads, for other networks.
    """

    protocol: str
    fit_seed: int
    fit_half: int
    score_seed: int
    score_half: int


def pairings(scores: NetworkScores, half: int) -> list[Pairing]:
    """What a fit on ``half`` (index) of each seed is scored on."""
    seeds, halves = range(len(scores.seeds)), len(scores.halves)
    half = half % halves
    other = (half + 1) % halves
    if len(scores.seeds) > 1:
        return [Pairing("cross_seed", s, half, t, other) for s in seeds for t in seeds if s != t]
    return [Pairing("cross_half" if halves > 1 else "held_out", 0, half, 0, other)]


def compared(parameters: PredictorParameters) -> dict[str, Contender]:
    """The predictors of the comparison by name, the configured family among them."""
    ridge = parameters.ridge.model_dump()
    contenders: dict[str, Contender] = {
        "gcn": ("gcn", parameters.gcn.model_dump()),
        "ridge": ("ridge", {**ridge, "features": "one_hot"}),
        "ridge_kinds": ("ridge", {**ridge, "features": "kinds"}),
        "lightgbm": ("lightgbm", parameters.lightgbm.model_dump()),
        "gp": ("gp", parameters.gp.model_dump()),
        "macs": ("macs", {}),
        "params": ("params", {}),
        "constant": ("constant", {}),
    }
    if parameters.name not in contenders:
        contenders[parameters.name] = default_contender(parameters)
    return contenders


def default_contender(parameters: PredictorParameters) -> Contender:
    """The configured family with its configured settings."""
    return parameters.name, parameters.settings_of(parameters.name)


def with_estimates(contender: Contender, batch: ArchitectureBatch) -> Contender:
    """The contender, or what gives it estimates of proxies if it reads them and the batch has some.

    Only networks of the batch were scored. A predictor that has read the scores themselves could speak of no other.
    """
    family, settings = contender
    if batch.proxies is None or family == ESTIMATED or not reads_proxies(family, settings):
        return contender
    return ESTIMATED, {"family": family, "settings": dict(settings)}


def fit_one(
    batch: ArchitectureBatch,
    scores: NetworkScores,
    contender: Contender,
    seed: int,
    seeds: Sequence[int] | None = None,
    halves: Sequence[int] | None = None,
) -> Predictor:
    """A predictor (``with_estimates``) fitted to the mean over some seeds and halves (None: all)."""
    predictor = make_predictor(*with_estimates(contender, batch), seed)
    predictor.fit(batch, scores.evaluations(seeds, halves))
    return predictor


def heard(family: str, fitted: Predictor) -> str:
    """Which scores without training a fitted predictor hears, in a sentence for the log."""
    names = getattr(fitted, "proxies", ())
    if not names:
        return f"{family} hears no scores without training: `evidence` reads them, and `gp` with `proxies: true`"
    return f"{family} hears estimates of {', '.join(names)}, and of no other score without training"


def predicted_pairs(
    batch: ArchitectureBatch,
    scores: NetworkScores,
    contender: Contender,
    fitted_on: NDArray[np.bool_],
    half: int,
    seed: int,
) -> Iterator[tuple[Pairing, Floats, Floats]]:
    """Fit on the rows ``fitted_on``, predict the rest: (pairing, truth, predicted mean); a fit per super-network."""
    rest = ~fitted_on
    known, unseen = batch[fitted_on], batch[rest]
    wanted = pairings(scores, half)
    for number in range(len(scores.seeds)):
        of_seed = [pairing for pairing in wanted if pairing.fit_seed == number]
        fit_half = of_seed[0].fit_half
        predictor = fit_one(known, scores[fitted_on], contender, seed, [number], [fit_half])
        mean = predictor.predict(unseen).mean
        for pairing in [*of_seed, Pairing("same_seed", number, fit_half, number, fit_half)]:
            yield pairing, scores.score[rest, pairing.score_seed, pairing.score_half], mean


def cross_seed_scores(
    batch: ArchitectureBatch,
    scores: NetworkScores,
    contenders: Mapping[str, Contender],
    *,
    folds: int,
    seed: int,
) -> pd.DataFrame:
    """Every contender on the same folds of networks, seeds and halves, by the same metrics.

    All ordered pairs of super-networks are scored in every fold. The half that is fitted alternates from fold to fold,
    so that both are used without a second round of fits. The rmse against another super-network contains the
    difference of their levels. A contender's fold is a task of the engine where it has machines of its own, and has the
    same rows there.

    Returns:
        predictor, protocol, fold, fit_seed, score_seed, fit_half, score_half, kendall_tau, spearman,
        kendall_tau_top_half, rmse; a row per contender, fold and pairing.
    """
    fold = fold_of(len(batch), folds, seed)
    jobs = [(name, number) for name in contenders for number in range(folds)]
    found: dict[tuple[str, int], list[dict[str, Any]]] = {}
    with (
        progress_bar(total=len(jobs), desc="predictors compared", unit="fold") as bar,
        side_by_side(
            _scored_fold, jobs, contenders, batch, scores, fold, seed, shares=shares_or_here(len(jobs), threads=1)
        ) as results,
    ):
        for job, rows in results:
            found[job] = rows
            bar.update(1)
    return pd.DataFrame([row for job in jobs for row in found[job]])


def proxies_alone(batch: ArchitectureBatch, scores: NetworkScores, *, folds: int, seed: int) -> pd.DataFrame:
    """How each proxy of the batch ranks, as a predictor that learns nothing: rows as of ``cross_seed_scores``.

    Of the same folds and pairings, but for ``same_seed``; ``predictor`` is ``<proxy>, untrained``. Networks without a
    finite value are left out, and there is no rmse, since a proxy is in no score's unit.
    """
    fold = fold_of(len(batch), folds, seed)
    rows = []
    for name, column in ({} if batch.proxies is None else batch.proxies).items():
        values = column.to_numpy(np.float64)
        for number in range(folds):
            here = (fold == number) & np.isfinite(values)
            for pairing in pairings(scores, number) if here.any() else ():
                truth = scores.score[here, pairing.score_seed, pairing.score_half]
                ranked = _row(f"{name}, untrained", number, scores, pairing, truth, values[here])
                rows.append(ranked | {"rmse": float("nan")})
    return pd.DataFrame(rows)


def _scored_fold(
    job: tuple[str, int],
    contenders: Mapping[str, Contender],
    batch: ArchitectureBatch,
    scores: NetworkScores,
    fold: NDArray[np.int64],
    seed: int,
) -> tuple[tuple[str, int], list[dict[str, Any]]]:
    """The rows of a contender in one fold."""
    name, number = job
    pairs = predicted_pairs(batch, scores, contenders[name], fold != number, number, seed)
    return job, [_row(name, number, scores, *pair) for pair in pairs]


def _row(
    name: str, fold: int, scores: NetworkScores, pairing: Pairing, truth: Floats, predicted: Floats
) -> dict[str, Any]:
    return {
        "predictor": name,
        "protocol": pairing.protocol,
        "fold": fold,
        "fit_seed": scores.seeds[pairing.fit_seed],
        "score_seed": scores.seeds[pairing.score_seed],
        "fit_half": scores.halves[pairing.fit_half],
        "score_half": scores.halves[pairing.score_half],
        **{metric: score(truth, predicted) for metric, score in METRICS.items()},
    }
