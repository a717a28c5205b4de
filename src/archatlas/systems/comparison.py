"""Methods side by side: what their best networks are worth when they are trained alone, and what finding them cost."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from archatlas.predictors.noise import reach_of_mean
from archatlas.systems.ledger import COUNTED, NOT_COUNTED, Spending

_LOGGER = logging.getLogger(__name__)

CONTROL = "random_search"
"""What others are compared with."""

SPENT = [*COUNTED, "epochs"]

BEST_COLUMNS = ["method", "budget", "seed", "network", "score", "macs", "params", *SPENT]
"""Of each search the network that it would choose, and what had been spent in all."""

_FEWEST_PAIRS = 3
"""Of searches: the interval of two by Student's t reaches nine of their spreads to either side, and tells nothing."""

COMPARISON_COLUMNS = [
    "method", "budget", "searches", "accuracy", "accuracy_std", "ahead", "ahead_low", "ahead_high", *SPENT,
]  # fmt: skip


def best_of(visited: pd.DataFrame, method: str, epochs: float) -> pd.DataFrame:
    """``BEST_COLUMNS`` of every search in ``visited`` (columns budget, seed, ``account.VISITED``).

    ``epochs`` are those of the super-networks that it was given.

    Ties go to more MACs, as in the main job: of networks that scores do not tell apart the larger is the better guess.
    """
    order = ["budget", "seed", "score", "macs", "network"]
    ranked = visited.dropna(subset="score").sort_values(order, ascending=[True, True, False, False, True])
    best = ranked.groupby(["budget", "seed"], sort=False).head(1).set_index(["budget", "seed"])
    spent = visited.groupby(["budget", "seed"], sort=False)[list(COUNTED)].max()
    best[list(COUNTED)] = spent.reindex(best.index)
    return best.reset_index().assign(method=method, epochs=float(epochs))[BEST_COLUMNS]


def first_of(candidates: pd.DataFrame, method: str, spent: Spending) -> pd.DataFrame:
    """``BEST_COLUMNS`` of a method that makes one search for all budgets: its first candidate of each."""
    first = candidates[candidates["rank"] == 1].rename(columns={"predicted_score": "score"})
    return first.assign(method=method, seed=0, **{kind: getattr(spent, kind) for kind in SPENT})[BEST_COLUMNS]


def mean_accuracies(trainings: pd.DataFrame, num_classes: int) -> dict[str, float]:
    """The mean over the trainings (columns network, accuracy) of each network; what has diverged counts as a guess.

    Such a training has no accuracy. Left out, it would speak for the method that chose the network.
    """
    diverged = trainings["accuracy"].isna()
    if diverged.any():
        _LOGGER.warning(
            "%d of %d trainings of what methods would choose diverged. They count as a guess among %d classes: %s",
            diverged.sum(), len(trainings), num_classes, ", ".join(trainings.loc[diverged, "network"].unique()),
        )  # fmt: skip
    means = trainings["accuracy"].fillna(1 / num_classes).groupby(trainings["network"]).mean()
    return {str(network): float(mean) for network, mean in means.items()}


def compared(best: pd.DataFrame, accuracies: Mapping[str, float]) -> pd.DataFrame:
    """``COMPARISON_COLUMNS``: a row per method and budget.

    ``ahead`` is by how much its networks are better than those of random search, trained alone, with a 95% interval by
    Student's t over searches (those of one seed are a pair, and a method with one search is paired with each). NaN of
    random search itself, and the interval where there are fewer than three pairs.

    Args:
        best: ``BEST_COLUMNS`` of all methods.
        accuracies: of networks trained alone, by name.
    """
    table = best.assign(accuracy=best["network"].map(accuracies))
    rows = []
    for (budget, method), own in table.groupby(["budget", "method"], sort=False):
        control = table[(table["budget"] == budget) & (table["method"] == CONTROL)].set_index("seed")["accuracy"]
        mine = own.set_index("seed")["accuracy"]
        ahead = (mine.iloc[0] - control if len(mine) == 1 else mine - control).dropna()
        reach = reach_of_mean(ahead) if len(ahead) >= _FEWEST_PAIRS else np.nan
        is_control = method == CONTROL or ahead.empty
        rows.append(
            (
                method, budget, len(mine), mine.mean(), mine.std(ddof=1),
                *((np.nan,) * 3 if is_control else (ahead.mean(), ahead.mean() - reach, ahead.mean() + reach)),
                *(own[kind].mean() for kind in SPENT),
            )
        )  # fmt: skip
    return pd.DataFrame(rows, columns=COMPARISON_COLUMNS)


def lines_of(comparison: pd.DataFrame) -> Sequence[str]:
    """The comparison in words, a line per method and budget, the best first."""
    lines = []
    for budget, rows in comparison.sort_values("accuracy", ascending=False).groupby("budget", sort=False):
        for row in rows.to_dict("records"):
            spread = "" if np.isnan(row["accuracy_std"]) else f" ± {100 * row['accuracy_std']:.1f}"
            text = f"{budget}: {row['method']} {100 * row['accuracy']:.1f}%{spread} of {row['searches']} searches"
            if not np.isnan(row["ahead"]):
                told = (
                    ""
                    if np.isnan(row["ahead_low"])
                    else (f" ({100 * row['ahead_low']:+.1f} to {100 * row['ahead_high']:+.1f})")
                )
                text += f", {100 * row['ahead']:+.1f}{told} points ahead of random search"
            spent = (row["forward_macs"] + row["backward_macs"]) / 1e9
            macs = f", {spent:.1f} G MACs" if spent else ""
            trained = f", {row['trainings']:.0f} trained alone" if row["trainings"] else ""
            lines.append(f"{text}; {row['evaluations']:.0f} networks scored{macs}{trained}")
    return [*lines, NOT_COUNTED]
