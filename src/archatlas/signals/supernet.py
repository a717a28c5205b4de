"""Whether super-networks have learned anything, and whether their scores are about the networks."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from archatlas.predictors.metrics import mean_pairwise_tau, mean_pairwise_tau_interval
from archatlas.signals.signal import Signal, by_hand, percent, sentence, tau_with_interval

MAJORITY_ERRORS = 2.0
"""Binomial standard errors above the largest class up to which super-networks have not learned: some 95% one way."""

LITTLE_LEARNED = 0.1
"""Part of the way from the largest class's share to 1 below which super-networks have hardly learned."""

LITTLE_AGREEMENT = 0.2
"""Kendall's tau between super-networks below which their scores are mostly noise, even where it is above zero."""

_SAMPLES = 300
"""Resamples of the networks for the interval of an agreement: its ends are needed to some 0.02."""

_BY_MACS = "Candidates are ranked by MACs, unless the predictor is calibrated by networks trained alone."


def majority(class_counts: pd.DataFrame, split: str = "validation") -> tuple[float, int]:
    """Share of the largest class among the images of a split, and how many images it has; (NaN, 0) of none.

    Args:
        class_counts: split, class_name, images.
        split: which.
    """
    counts = class_counts.loc[class_counts["split"] == split, "images"] if len(class_counts) else pd.Series(dtype="int")
    total = int(counts.sum())
    return (float(counts.max()) / total, total) if total else (float("nan"), 0)


def near_majority(evaluations: pd.DataFrame, class_counts: pd.DataFrame, *, scheduled: bool = False) -> Signal | None:
    """Whether subnets are, in the mean, about as accurate as naming the largest class of the validation images.

    Broken up to ``MAJORITY_ERRORS`` binomial standard errors above its share, a warning up to ``LITTLE_LEARNED`` of the
    way from there to 1. The mean over all networks is taken, since the best of many are partly lucky.

    Args:
        evaluations: accuracy (0 to 1), a row per network, super-network and half.
        class_counts: split, class_name, images; empty where nothing was trained, and then nothing is said.
        scheduled: whether a time budget decides how long super-networks are trained.
    """
    share, images = majority(class_counts)
    if not images or evaluations.empty:
        return None
    mean = float(evaluations["accuracy"].mean())
    error = float(np.sqrt(share * (1 - share) / images))
    unlearned = mean <= share + MAJORITY_ERRORS * error
    if not unlearned and mean > share + LITTLE_LEARNED * (1 - share):
        return None
    return Signal(
        "evaluate_subnets",
        "supernet_near_majority",
        "broken" if unlearned else "warning",
        f"Subnets name {percent(mean)} of the validation images rightly in the mean, and always naming the largest "
        f"class would name {percent(share)} (± {percent(error)} by {images} images): the super-networks have "
        f"{'not' if unlearned else 'hardly'} learned.",
        _BY_MACS if unlearned else "Scores are used, but expect little of them.",
        sentence(
            by_hand(
                "set `supernet.largest_first_epochs` (a third of the epochs, say), raise "
                "`supernet.training.epochs`, or both",
                scheduled=scheduled,
            )
        ),
    )


def scores_disagree(evaluations: pd.DataFrame, target: str, *, scheduled: bool = False) -> Signal | None:
    """Whether super-networks (or, of a single one, the halves of the validation images) order networks differently.

    Broken if the interval of Kendall's tau between them includes zero; a warning below ``LITTLE_AGREEMENT``. Halves
    share the super-network, so their agreement tells of the images' noise alone.

    Args:
        evaluations: network, seed, half and the column ``target``, a row per network, super-network and half.
        target: accuracy or log_loss; what the predictor learns.
        scheduled: whether a time budget decides how long super-networks are trained.
    """
    between = "seed" if evaluations["seed"].nunique() > 1 else "half"
    scores = _scores(evaluations, target, between)
    if scores.shape[1] < 2 or len(scores) < 3:
        return None
    tau, bounds = mean_pairwise_tau(scores), mean_pairwise_tau_interval(scores, samples=_SAMPLES)
    unclear = bounds[0] <= 0
    if not unclear and tau >= LITTLE_AGREEMENT:
        return None
    sides = "Super-networks" if between == "seed" else "The halves of the validation images"
    return Signal(
        "evaluate_subnets",
        "scores_disagree",
        "broken" if unclear else "warning",
        f"{sides} order {len(scores)} networks with {tau_with_interval(tau, bounds)}: their scores are "
        f"{'not told from' if unclear else 'mostly'} noise.",
        _BY_MACS if unclear else "Scores are used, averaged over all of them.",
        "Have more validation images (`images.validation_fraction`), or "
        + by_hand(
            "train super-networks for longer (`supernet.training.epochs`, `supernet.largest_first_epochs`)",
            scheduled=scheduled,
        )
        + ".",
    )


def _scores(evaluations: pd.DataFrame, target: str, between: str) -> NDArray[np.float64]:
    """Mean scores ``[networks, k]``, a column per super-network or half; networks that lack one are left out."""
    table = evaluations.pivot_table(index="network", columns=between, values=target, aggfunc="mean")
    return table.dropna().to_numpy(dtype=np.float64)
