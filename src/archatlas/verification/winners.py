"""The winner of each budget: chosen on the validation images. Tables in, tables out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from archatlas.costs.constraints import COST_COLUMNS, Constraint

Json = dict[str, Any]

VERIFIED_COLUMNS = [
    "budget", "role", "method", "rank", "network", "predicted_score", "supernet_accuracy", "validation_accuracy_mean",
    "validation_accuracy_std", "macs", "params", "predicted_latency_ms", "latency_ms", "latency_lower_quartile_ms",
    "latency_upper_quartile_ms", "meets_budget", "verdict",
]  # fmt: skip
"""``role`` is candidate, or what else was trained and keeps the budget: random, mobilenet (``rank`` is 0 there).

``method`` names the search methods that have found a candidate (``verification/united.py``); for what else was trained
it is empty.
"""

RUNNERS_UP = 7
"""So many of the next best of each budget are told of, so that they can be trained on beside the winner."""

_TITLES = {"candidate": "candidate", "random": "random network", "mobilenet": "scaled MobileNet"}


def mean_and_std(trainings: pd.DataFrame) -> pd.DataFrame:
    """Over the seeds of each network: validation_accuracy_mean, _std (n - 1; NaN of one), validation_log_loss_mean.

    A network that stands in several budgets was trained once, with the same seeds.
    """
    grouped = trainings.drop_duplicates(["network", "seed"]).groupby("network", sort=False)
    return grouped.agg(
        validation_accuracy_mean=("validation_accuracy", "mean"),
        validation_accuracy_std=("validation_accuracy", "std"),
        validation_log_loss_mean=("validation_log_loss", "mean"),
    ).reset_index()


def best_trained(contestants: pd.DataFrame) -> list[int]:
    """Index labels, best first: by largest mean validation accuracy, then least log loss, then row."""
    # A stable sort: of equal ones the first row stays first.
    order = np.lexsort((contestants["validation_log_loss_mean"], -contestants["validation_accuracy_mean"]))
    return [int(label) for label in contestants.index[order]]


def choose_winners(
    candidates: pd.DataFrame,
    supernet_accuracy: Mapping[Any, float],
    latency: pd.DataFrame,
    trainings: pd.DataFrame,
    constraints: Mapping[str, Sequence[Constraint]],
    *,
    beside: pd.DataFrame | None,
    latency_from: str,
    misses: int,
    chosen_by: str = "validation accuracy",
) -> tuple[pd.DataFrame, list[Json]]:
    """The table of verified candidates; and per budget a document: its winner and ``runners_up``, or why it has none.

    The winner is the best that was trained: among the budget's own finalists, finalists of other budgets, the budget's
    own random networks and MobileNets, and those of others, whatever keeps the budget. Equal ones are told apart by
    log loss, then in this order. A candidate that the budget has not tried takes part where another budget, or chance,
    has had it trained; it then stands in the table once, as that. ``from_budget`` is whose finalist or draw it was.

    Args:
        candidates: budget, rank, ``enumeration.SCORED_COLUMNS``, method.
        supernet_accuracy: mean accuracy on the super-networks by network.
        latency: from ``candidates.finalists``, of all budgets.
        trainings: network, seed, validation_accuracy, validation_log_loss of all that was trained alike.
        constraints: bounds by budget, in the order in which winners are given.
        beside: random networks and MobileNets (``comparisons.COMPARISON_TYPES``) that may win too; None: not even
            finalists of other budgets may.
        latency_from: ``costs.latency.source``: only where it is ``measured`` have networks quartiles.
        misses: how many networks to name where there is no winner.
        chosen_by: what ``validation_accuracy`` is, where a public table has another in its place.
    """
    table = candidates.merge(latency, on=["budget", "rank", "network"], how="left", validate="one_to_one")
    table["tried"] = table["finalist"].notna()
    table["finalist"] = table["finalist"].eq(True)
    table["role"] = "candidate"
    means = mean_and_std(trainings)
    parts, documents = [], []
    for budget, bounds in constraints.items():
        own = table[table["budget"] == budget]
        others = table.iloc[:0] if beside is None else _others(table[table["finalist"]], beside, budget)
        # What the budget has tried itself is a finalist, or has missed a bound when it was measured for it.
        trained = others["network"].isin(means["network"])
        known_here = others["network"].isin(own.loc[own["tried"], "network"])
        known_here |= others["network"].isin(own["network"]) & ~trained
        foreign = others[_keeps(others, bounds, latency_from == "measured") & ~known_here]
        own = own[own["tried"] | ~own["network"].isin(foreign["network"])]
        part = pd.concat([own, foreign.assign(rank=0, tried=True, finalist=True)], ignore_index=True)
        part = part.merge(means, on="network", how="left", validate="many_to_one")
        part["supernet_accuracy"] = part["network"].map(dict(supernet_accuracy)).astype("float64")
        ranked = best_trained(part[part["finalist"] & part["validation_accuracy_mean"].notna()])
        winner = ranked[0] if ranked else None
        timed = any(bound.cost == "latency_ms" for bound in bounds)
        part["meets_budget"] = part["finalist"] if timed else True
        part["verdict"] = [
            _verdict(row, budget, index == winner, bounds, timed and latency_from == "imported", chosen_by)
            for index, row in enumerate(part.to_dict("records"))
        ]
        part["method"] = part["method"].fillna("").astype("str")
        parts.append(part.assign(budget=budget)[VERIFIED_COLUMNS])
        if winner is None:
            documents.append(_no_winner(budget, part, bounds, misses))
        else:
            best = [_winner(budget, part.loc[label].to_dict(), trainings) for label in ranked[: 1 + RUNNERS_UP]]
            documents.append({**best[0], "runners_up": best[1:]})
    return pd.concat(parts, ignore_index=True), documents


def _others(finalists: pd.DataFrame, beside: pd.DataFrame, budget: str) -> pd.DataFrame:
    """Finalists of all budgets, and what was drawn or scaled for any: each network once, for this budget if it was."""
    here = beside["budget"] == budget
    return pd.concat([finalists, beside[here], beside[~here]], ignore_index=True).drop_duplicates("network")


def _keeps(networks: pd.DataFrame, bounds: Sequence[Constraint], measured: bool) -> NDArray[np.bool_]:
    """Which networks keep a budget: latency as measured (the quartile that counts), or else as predicted."""
    kept = np.ones(len(networks), dtype=np.bool_)
    for bound in bounds:
        kept &= bound.keeps(networks[_column(bound) if measured else COST_COLUMNS[bound.cost]].to_numpy())
    return kept


def _column(bound: Constraint) -> str:
    """What a bound is held against once networks are measured: three calls in four must keep it."""
    if bound.cost != "latency_ms":
        return COST_COLUMNS[bound.cost]
    return f"latency_{'upper' if bound.bound == 'max' else 'lower'}_quartile_ms"


_FIRST = "first"
"""Verdict of the best as it was trained alike; of several that are trained on another may win."""


def title_of(role: str) -> str:
    """What a network of this role is called in a sentence."""
    return "finalist" if role == "candidate" else _TITLES[role]


def _verdict(
    row: Mapping[Any, Any],
    budget: str,
    won: bool,
    bounds: Sequence[Constraint],
    unmeasured: bool,
    chosen_by: str,
) -> str:
    note = "; latency as the imported table predicts it, not measured here" if unmeasured else ""
    who = title_of(row["role"])
    if row["budget"] != budget:
        who += f" of `{row['budget']}`"
    if won:
        return f"{_FIRST}: {who}, best mean {chosen_by} of all that were trained{note}"
    if row["finalist"]:
        return f"{who}: keeps the budget, but its mean {chosen_by} is not the best{note}"
    if row["tried"]:
        broken = ", ".join(str(bound) for bound in bounds if bound.cost == "latency_ms")
        return (
            f"misses {broken}: measured {row['latency_lower_quartile_ms']:.4g} to "
            f"{row['latency_upper_quartile_ms']:.4g} ms (quartiles)"
        )
    return "not tried: enough candidates of better rank keep the budget"


def best_first(trainings: pd.DataFrame, network: str) -> pd.DataFrame:
    """A network's trainings, one for each seed: by validation accuracy, then log loss, then seed."""
    own = trainings[trainings["network"] == network].drop_duplicates("seed")
    return best_first_of(own.sort_values("seed"))


def best_first_of(done: pd.DataFrame) -> pd.DataFrame:
    """Trainings by validation accuracy, then log loss, then as they stand."""
    return done.sort_values(["validation_accuracy", "validation_log_loss"], ascending=[False, True], kind="stable")


def _winner(budget: str, row: Mapping[Any, Any], trainings: pd.DataFrame) -> Json:
    own = trainings[trainings["network"] == row["network"]].drop_duplicates("seed")
    return {
        "budget": budget,
        "status": "found",
        "architecture": str(row["network"]),
        "role": str(row["role"]),
        "from_budget": str(row["budget"]),
        "method": str(row["method"]) or None,
        "predicted": _number(row["predicted_score"]),
        **{name: _number(row[name]) for name in ("supernet_accuracy", "validation_accuracy_mean")},
        "validation_accuracy_std": _number(row["validation_accuracy_std"]),
        "macs": int(row["macs"]),
        "params": int(row["params"]),
        **{name: _number(row[name]) for name in ("predicted_latency_ms", "latency_ms", "latency_upper_quartile_ms")},
        "nearest_misses": [],
        "reason": str(row["verdict"]).replace(_FIRST, "winner", 1),
        "seeds": [int(seed) for seed in own["seed"]],
        "best_seed": int(best_first(trainings, str(row["network"]))["seed"].iloc[0]),
    }


def _no_winner(budget: str, part: pd.DataFrame, bounds: Sequence[Constraint], misses: int) -> Json:
    named = ", ".join(str(bound) for bound in bounds)
    nothing = (
        "architecture", "role", "from_budget", "method", "predicted", "supernet_accuracy", "validation_accuracy_mean",
        "validation_accuracy_std", "macs", "params", "predicted_latency_ms", "latency_ms", "latency_upper_quartile_ms",
        "best_seed",
    )  # fmt: skip
    return {
        "budget": budget,
        "status": "none",
        **dict.fromkeys(nothing),
        "nearest_misses": measured_misses(part, bounds, misses),
        "reason": (
            f"none of the {len(part)} candidates keeps {named} when measured; raise `search.top_k` to try more, or "
            "relax the bound"
        ),
        "seeds": [],
        "runners_up": [],
    }


def measured_misses(part: pd.DataFrame, bounds: Sequence[Constraint], count: int) -> list[Json]:
    """The measured candidates that overstep their worst bound by the smallest part of its limit, best first."""
    tried = part[part["tried"]]
    excess = np.full(len(tried), -np.inf)
    for bound in bounds:
        excess = np.fmax(excess, bound.excess(tried[_column(bound)].to_numpy()))
    nearest = tried.assign(excess=excess).sort_values(["excess", "rank"]).head(count)
    return [
        {
            "network": str(row["network"]),
            "predicted": float(row["predicted_score"]),
            "macs": int(row["macs"]),
            "params": int(row["params"]),
            "latency_ms": _number(row["latency_ms"]),
            "latency_upper_quartile_ms": _number(row["latency_upper_quartile_ms"]),
            "excess": float(row["excess"]),
        }
        for row in nearest.to_dict("records")
    ]


def _number(value: Any) -> float | None:
    """A number for JSON, which has no NaN."""
    return None if pd.isna(value) else float(value)


def entrants_of(document: Json, contenders: int) -> list[Json]:
    """The networks of a budget that are trained on: its winner, and the best behind it."""
    return [document, *document["runners_up"][: contenders - 1]]
