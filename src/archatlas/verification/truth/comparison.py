"""A run's scores beside the true accuracies of a public table: the only place of a run that reads them all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from archatlas.errors import ArchatlasError
from archatlas.spaces.tables.table import BenchmarkTable, Label
from archatlas.verification.truth.metrics import (
    CORRELATIONS,
    ceilings,
    mean_of_best,
    standard_error,
    true_ranks,
)
from archatlas.verification.truth.scores import scorer_and_seed, supernet_columns

FACTS = ("network", "fitted", "true_accuracy", "true_rank")
"""Columns of the joined table that are no scorer; those of single trainings begin with ``true_accuracy_``."""

FEWEST = 3
"""Of fewer networks no rank correlation is told."""

CORRELATION_COLUMNS = ("scorer", "seed", "over", "networks", *CORRELATIONS)
PICK_COLUMNS = (
    "scorer", "seed", "budget", "limit", "networks", "best_accuracy", "best_rank", "top_accuracy", "top_rank",
    "optimum", "top_optimum",
)  # fmt: skip


def no_comparison() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Rows, correlations, picks and summary where there is no table of true accuracies."""
    rows, ranked, chosen = (
        pd.DataFrame({name: pd.Series(dtype="str") for name in columns})
        for columns in (FACTS, CORRELATION_COLUMNS, PICK_COLUMNS)
    )
    return rows, ranked, chosen, {}


def joined(network_scores: pd.DataFrame, table: BenchmarkTable, label: Label) -> pd.DataFrame:
    """Scores of networks beside their truth, a row per network that the table knows, in the order of the scores.

    Args:
        network_scores: network, fitted and a column per scorer.
        table: of true accuracies; of twins with accuracies of their own, the mean is the truth.
        label: the kind of accuracy.

    Returns:
        ``FACTS``, true_accuracy_<i> of each training, and the scorers.

    Raises:
        ArchatlasError: the table knows none of the networks.
    """
    truth = table.networks().rows.set_index("network")
    trainings = {column: f"true_accuracy_{number}" for number, column in enumerate(label.trainings)}
    known = truth[[label.column, *trainings]].rename(columns={label.column: "true_accuracy", **trainings})
    rows = network_scores.merge(known, left_on="network", right_index=True, how="inner", validate="one_to_one")
    rows = rows.dropna(subset=["true_accuracy"]).reset_index(drop=True)
    if rows.empty:
        raise ArchatlasError(
            f"the table {table.name} knows none of the run's networks: set `truth.name` to the table of `space.preset`"
        )
    rows["true_rank"] = true_ranks(rows["true_accuracy"].to_numpy(dtype=np.float64))
    first = [*FACTS, *trainings.values()]
    return rows[[*first, *(column for column in rows.columns if column not in first)]]


def by_architecture(
    rows: pd.DataFrame, space_evaluations: pd.DataFrame, table: BenchmarkTable, label: Label
) -> pd.DataFrame:
    """The same with a row for each architecture of the table, as papers count them.

    Super-networks give each spelling its own score where it was evaluated, else its network's; all other scorers give
    twins the same.
    """
    spelled = table.rows.loc[table.rows[label.column].notna(), ["architecture", "network", label.column]]
    spelled = spelled.rename(columns={label.column: "true_accuracy"})
    every = spelled.merge(rows.drop(columns="true_accuracy"), on="network", how="inner", validate="many_to_one")
    own = supernet_columns(space_evaluations, by="architecture").reindex(every["architecture"]).reset_index(drop=True)
    for column in own.columns.intersection(every.columns):
        every[column] = own[column].fillna(every[column])
    return every


def scorers_of(rows: pd.DataFrame) -> list[str]:
    """The columns that are scorers."""
    return [
        str(column)
        for column in rows.columns
        if column not in (*FACTS, "architecture") and not str(column).startswith("true_accuracy_")
    ]


def correlations(rows: pd.DataFrame, architectures: pd.DataFrame) -> pd.DataFrame:
    """How every scorer ranks: ``CORRELATION_COLUMNS``; NaN of fewer than ``FEWEST`` networks.

    ``over``: all ``networks`` that it has a score for; those among them that no predictor was fitted to (``unfitted``);
    or the ``architectures``, in which a network counts as often as it has names.
    """
    found = []
    for over, table in (("networks", rows), ("unfitted", rows[~rows["fitted"]]), ("architectures", architectures)):
        for column in scorers_of(rows):
            scored = table.loc[table[column].notna(), ["true_accuracy", column]].to_numpy(dtype=np.float64)
            figures = {
                name: metric(scored[:, 0], scored[:, 1]) if len(scored) >= FEWEST else float("nan")
                for name, metric in CORRELATIONS.items()
            }
            scorer, seed = scorer_and_seed(column)
            found.append({"scorer": scorer, "seed": seed, "over": over, "networks": len(scored), **figures})
    return pd.DataFrame(found, columns=list(CORRELATION_COLUMNS))


def picks(rows: pd.DataFrame, budgets: tuple[str, ...], best: int) -> pd.DataFrame:
    """What choosing by every scorer would give, without a budget (``""``) and under each of MACs: ``PICK_COLUMNS``.

    ``best_...`` is of the one with the highest score, ``top_...`` the mean over the ``best`` with the highest; ranks
    are within the budget, and 1 is the truest. ``optimum`` and ``top_optimum``: the same of a perfect score.
    ``networks``: how many within the budget have a score. Ties are averaged (``metrics.mean_of_best``).
    """
    macs = rows["macs"].to_numpy(dtype=np.float64)
    found = []
    for budget in ("", *budgets):
        share = float(budget.removesuffix("%")) / 100 if budget else 1.0
        limit = (1 - share) * macs.min() + share * macs.max()
        within = rows[macs <= limit]
        truth = within["true_accuracy"].to_numpy(dtype=np.float64)
        ranks = true_ranks(truth)
        perfect = {"optimum": float(truth.max()), "top_optimum": mean_of_best(truth, truth, best)}
        for column in scorers_of(rows):
            score = within[column].to_numpy(dtype=np.float64)
            seen = np.isfinite(score)
            figures = {
                f"{name}_{what}": mean_of_best(score[seen], values[seen], count)
                for name, count in (("best", 1), ("top", best))
                for what, values in (("accuracy", truth), ("rank", ranks))
            }
            scorer, seed = scorer_and_seed(column)
            place = {"scorer": scorer, "seed": seed, "budget": budget, "limit": limit, "networks": int(seen.sum())}
            found.append({**place, **figures, **perfect})
    return pd.DataFrame(found, columns=list(PICK_COLUMNS))


def summarise(
    rows: pd.DataFrame, ranked: pd.DataFrame, chosen: pd.DataFrame, table: BenchmarkTable, label: Label, best: int
) -> dict[str, Any]:
    """The comparison in numbers that a program reads.

    Returns:
        table, accuracy, networks, architectures, fitted (networks that predictors were fitted to), best (how many count
        as the best), optimum, optimum_of_best, standard_error (of a network's true accuracy), ceilings
        (``metrics.ceilings``), and scorers: for each its correlations over all networks, best_accuracy, best_rank,
        top_accuracy, top_rank without a budget, networks; and under by_seed the mean and standard deviation of each
        over super-networks, where there are several.
    """
    trainings = rows[[column for column in rows.columns if str(column).startswith("true_accuracy_")]]
    single = trainings.to_numpy(dtype=np.float64)
    whole = ranked[ranked["over"] == "networks"].drop(columns="over")
    free = chosen[chosen["budget"] == ""].drop(columns=["budget", "limit", "networks", "optimum", "top_optimum"])
    figures = whole.merge(free, on=["scorer", "seed"], validate="one_to_one")
    truth = rows["true_accuracy"].to_numpy(dtype=np.float64)
    error = standard_error(single) if single.shape[1] else float("nan")
    return {
        "table": table.name,
        "accuracy": label.name,
        "networks": len(rows),
        "architectures": int(table.rows["network"].isin(rows["network"]).sum()),
        "fitted": int(rows["fitted"].sum()),
        "best": best,
        "optimum": float(truth.max()),
        "optimum_of_best": mean_of_best(truth, truth, best),
        "standard_error": None if np.isnan(error) else error,
        "ceilings": ceilings(single) if single.shape[1] else {},
        "scorers": {str(name): _scorer(part) for name, part in figures.groupby("scorer", sort=False)},
    }


def _scorer(figures: pd.DataFrame) -> dict[str, Any]:
    """A scorer's figures over all super-networks, and their spread over single ones."""
    numbers = figures.drop(columns=["scorer", "seed"])
    over_all = numbers[(figures["seed"] == "all").to_numpy()].iloc[0]
    single = numbers[(figures["seed"] != "all").to_numpy()].drop(columns="networks")
    document: dict[str, Any] = {str(name): _number(value) for name, value in over_all.items()}
    document["networks"] = int(over_all["networks"])
    document["by_seed"] = (
        {
            str(name): {"mean": _number(single[name].mean()), "std": _number(single[name].std(ddof=1))}
            for name in single.columns
        }
        if len(single) > 1
        else {}
    )
    return document


def _number(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)
