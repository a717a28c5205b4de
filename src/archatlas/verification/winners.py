"""The winner of each budget: chosen on the validation images, then with_test_figures once. Tables in, tables out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from archatlas.costs.constraints import COST_COLUMNS, Constraint

Json = dict[str, Any]

VERIFIED_COLUMNS = [
    "budget", "rank", "network", "predicted_score", "supernet_accuracy", "validation_accuracy_mean",
    "validation_accuracy_std", "macs", "params", "predicted_latency_ms", "latency_ms", "latency_lower_quartile_ms",
    "latency_upper_quartile_ms", "meets_budget", "verdict",
]  # fmt: skip


def mean_and_std(trainings: pd.DataFrame) -> pd.DataFrame:
    """Over the seeds of each budget and network: validation_accuracy_mean, _std (n - 1; NaN of one), log_loss_mean."""
    grouped = trainings.groupby(["budget", "network"], sort=False)
    return grouped.agg(
        validation_accuracy_mean=("validation_accuracy", "mean"),
        validation_accuracy_std=("validation_accuracy", "std"),
        validation_log_loss_mean=("validation_log_loss", "mean"),
    ).reset_index()


def best_finalist(finalists: pd.DataFrame) -> int | None:
    """Index label of the winner: largest mean validation accuracy, then least log loss, then rank; None of none."""
    if finalists.empty:
        return None
    order = np.lexsort(
        (finalists["rank"], finalists["validation_log_loss_mean"], -finalists["validation_accuracy_mean"])
    )
    return int(finalists.index[order[0]])


def choose_winners(
    candidates: pd.DataFrame,
    supernet_accuracy: Mapping[Any, float],
    latency: pd.DataFrame,
    trainings: pd.DataFrame,
    constraints: Mapping[str, Sequence[Constraint]],
    *,
    measured_here: bool,
    misses: int,
    chosen_by: str = "validation accuracy",
) -> tuple[pd.DataFrame, list[Json]]:
    """The table of verified candidates, and one document per budget: its winner, or why there is none.

    Args:
        candidates: budget, rank, ``enumeration.SCORED_COLUMNS``.
        supernet_accuracy: mean accuracy on the super-networks by network.
        latency: from ``candidates.finalists``, of all budgets.
        trainings: budget, network, seed, validation_accuracy, validation_log_loss of the finalists.
        constraints: bounds by budget, in the order in which winners are given.
        measured_here: whether latency was measured on the device that the budgets are about.
        misses: how many networks to name where there is no winner.
        chosen_by: what ``validation_accuracy`` is, where a public table has another in its place.
    """
    table = candidates.merge(latency, on=["budget", "rank", "network"], how="left", validate="one_to_one")
    table = table.merge(mean_and_std(trainings), on=["budget", "network"], how="left", validate="many_to_one")
    table["supernet_accuracy"] = table["network"].map(dict(supernet_accuracy)).astype("float64")
    table["tried"] = table["finalist"].notna()
    table["finalist"] = table["finalist"].eq(True)
    parts, documents = [], []
    for budget, bounds in constraints.items():
        part = table[table["budget"] == budget].reset_index(drop=True)
        winner = best_finalist(part[part["finalist"] & part["validation_accuracy_mean"].notna()])
        timed = any(bound.cost == "latency_ms" for bound in bounds)
        part["meets_budget"] = part["finalist"] if timed else True
        part["verdict"] = [
            _verdict(row, index == winner, bounds, timed, measured_here, chosen_by)
            for index, row in enumerate(part.to_dict("records"))
        ]
        parts.append(part[VERIFIED_COLUMNS])
        if winner is None:
            documents.append(_no_winner(budget, part, bounds, misses))
        else:
            documents.append(_winner(budget, part.loc[winner].to_dict(), trainings))
    return pd.concat(parts, ignore_index=True), documents


def _verdict(
    row: Mapping[Any, Any], won: bool, bounds: Sequence[Constraint], timed: bool, measured_here: bool, chosen_by: str
) -> str:
    unmeasured = "" if not timed or measured_here else "; latency as the imported table predicts it, not measured here"
    if won:
        return f"winner: best mean {chosen_by} of the finalists{unmeasured}"
    if row["finalist"]:
        return f"finalist: keeps the budget, but its mean {chosen_by} is not the best{unmeasured}"
    if row["tried"]:
        broken = ", ".join(str(bound) for bound in bounds if bound.cost == "latency_ms")
        return (
            f"misses {broken}: measured {row['latency_lower_quartile_ms']:.4g} to "
            f"{row['latency_upper_quartile_ms']:.4g} ms (quartiles)"
        )
    return "not tried: enough candidates of better rank keep the budget"


def _winner(budget: str, row: Mapping[Any, Any], trainings: pd.DataFrame) -> Json:
    own = trainings[(trainings["budget"] == budget) & (trainings["network"] == row["network"])]
    best = own.sort_values(["validation_accuracy", "validation_log_loss", "seed"], ascending=[False, True, True])
    return {
        "budget": budget,
        "status": "found",
        "architecture": str(row["network"]),
        "predicted": float(row["predicted_score"]),
        **{name: _number(row[name]) for name in ("supernet_accuracy", "validation_accuracy_mean")},
        "validation_accuracy_std": _number(row["validation_accuracy_std"]),
        "macs": int(row["macs"]),
        "params": int(row["params"]),
        **{name: _number(row[name]) for name in ("predicted_latency_ms", "latency_ms", "latency_upper_quartile_ms")},
        "nearest_misses": [],
        "reason": str(row["verdict"]),
        "seeds": [int(seed) for seed in own["seed"]],
        "best_seed": int(best["seed"].iloc[0]),
    }


def _no_winner(budget: str, part: pd.DataFrame, bounds: Sequence[Constraint], misses: int) -> Json:
    named = ", ".join(str(bound) for bound in bounds)
    nothing = (
        "architecture", "predicted", "supernet_accuracy", "validation_accuracy_mean", "validation_accuracy_std", "macs",
        "params", "predicted_latency_ms", "latency_ms", "latency_upper_quartile_ms", "best_seed",
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
    }


def measured_misses(part: pd.DataFrame, bounds: Sequence[Constraint], count: int) -> list[Json]:
    """The measured candidates that overstep their worst bound by the smallest part of its limit, best first."""
    tried = part[part["tried"]]
    excess = np.full(len(tried), -np.inf)
    for bound in bounds:
        column = COST_COLUMNS[bound.cost]
        if bound.cost == "latency_ms":
            column = f"latency_{'upper' if bound.bound == 'max' else 'lower'}_quartile_ms"
        excess = np.fmax(excess, bound.excess(tried[column].to_numpy()))
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


def with_test_figures(document: Json, trainings: pd.DataFrame, recall: Mapping[str, float]) -> Json:
    """A budget's document with what the test images say of its winner and of the networks beside it.

    Args:
        document: from ``choose_winners``.
        trainings: the budget's rows: role, network, seed, test_accuracy.
        recall: share of each class's test images that the winner gets right, mean over seeds.

    The spread of the winner is over its seeds; that of random networks over networks, each the mean of its seeds.
    """
    own = trainings[(trainings["role"] == "candidate") & (trainings["network"] == document["architecture"])]
    winner = own["test_accuracy"].to_numpy(dtype=np.float64)
    random = trainings[trainings["role"] == "random"].groupby("network", sort=False)["test_accuracy"].mean()
    beside = trainings[trainings["role"] == "mobilenet"]
    return {
        **document,
        "test_accuracy_mean": _mean(winner),
        "test_accuracy_std": _std(winner),
        "random_accuracy_mean": _mean(random.to_numpy()),
        "random_accuracy_std": _std(random.to_numpy()),
        "random_count": len(random),
        "mobilenet_architecture": None if beside.empty else str(beside["network"].iloc[0]),
        "mobilenet_accuracy_mean": _mean(beside["test_accuracy"].to_numpy()),
        "mobilenet_macs": None if beside.empty else int(beside["macs"].iloc[0]),
        "mobilenet_params": None if beside.empty else int(beside["params"].iloc[0]),
        "per_class_accuracy": {name: _number(value) for name, value in recall.items()},
    }


def _mean(values: Any) -> float | None:
    return float(np.mean(values)) if len(values) else None


def _std(values: Any) -> float | None:
    return float(np.std(values, ddof=1)) if len(values) > 1 else None
