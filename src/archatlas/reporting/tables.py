"""Tables of the page: rows of text that is ready to be read, made from the run's data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from archatlas.reporting import numbers
from archatlas.reporting.run import Run, score_column


@dataclass(frozen=True)
class Cell:
    """One entry: text, and if asked a bar of ``bar`` (0 to 1) of the column's width, a note, a detail below.

    ``tone`` is ``best`` for the best of its row, ``near`` for what is within noise of it, ``muted`` for what is nothing
    special there.
    """

    text: str
    bar: float | None = None
    note: str = ""
    code: bool = False
    wrap: bool = False
    detail: str = ""
    tone: Literal["", "best", "near", "muted"] = ""


@dataclass(frozen=True)
class Table:
    """Column titles with their alignment (``left``, ``right``), and rows of cells.

    Rows in ``emphasised`` stand out, those in ``muted`` recede; a row of one cell is a heading of those below it.
    """

    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[Cell, ...], ...]
    emphasised: frozenset[int] = frozenset()
    muted: frozenset[int] = frozenset()


def cells(*entries: str | Cell) -> tuple[Cell, ...]:
    """A row; plain text becomes a plain cell."""
    return tuple(entry if isinstance(entry, Cell) else Cell(entry) for entry in entries)


def splits_table(run: Run) -> Table:
    """Images of each split, with the smallest and the largest class."""
    rows = []
    for split, images in run.image_description.get("splits", {}).items():
        counts = run.class_counts[run.class_counts["split"] == split].sort_values("images", kind="stable")
        least, most = (counts.iloc[0], counts.iloc[-1]) if len(counts) else (None, None)
        rows.append(
            cells(
                split,
                numbers.whole(images),
                numbers.DASH if least is None else f"{numbers.whole(least['images'])} ({least['class_name']})",
                numbers.DASH if most is None else f"{numbers.whole(most['images'])} ({most['class_name']})",
            )
        )
    columns = (("split", "left"), ("images", "right"), ("smallest class", "right"), ("largest class", "right"))
    return Table(columns, tuple(rows))


def budgets_table(feasibility: pd.DataFrame) -> Table:
    """Each bound as asked and in units, and what the space has to offer."""
    rows = [
        cells(
            str(row["budget"]),
            f"{numbers.COST_TITLES[row['cost']]} at {'most' if row['bound'] == 'max' else 'least'}",
            str(row["asked"]) if str(row["asked"]).endswith("%") else "",
            numbers.cost(row["limit"], row["cost"]),
            ("" if row.get("exact", True) else "about ")
            + numbers.between(numbers.cost(row["least"], row["cost"]), numbers.cost(row["most"], row["cost"])),
        )
        for row in feasibility.to_dict("records")
    ]
    columns = (
        ("budget", "left"),
        ("bound", "left"),
        ("asked as", "right"),
        ("limit", "right"),
        ("range in the space", "right"),
    )
    return Table(columns, tuple(rows))


def predictor_summary(predictor_scores: pd.DataFrame) -> pd.DataFrame:
    """Mean and standard deviation over folds and seeds: a row for each protocol and predictor, same-seed last."""
    if predictor_scores.empty:
        return pd.DataFrame(columns=["protocol", "predictor", "kendall_tau", "kendall_tau_std"])
    metrics = ["kendall_tau", "spearman", "kendall_tau_top_half", "rmse"]
    grouped = predictor_scores.groupby(["protocol", "predictor"], sort=True)[metrics]
    summary = grouped.mean().join(grouped.std().add_suffix("_std")).reset_index()
    order = np.lexsort((-summary["kendall_tau"].fillna(-2), summary["protocol"] == "same_seed"))
    return summary.iloc[order].reset_index(drop=True)


_PROTOCOLS = {
    "cross_seed": "cross-seed",
    "cross_half": "cross-half",
    "held_out": "held-out networks",
    "same_seed": "same-seed",
}


def predictors_table(predictor_scores: pd.DataFrame) -> Table:
    """The scores of all predictors; the same-seed protocol is marked as a diagnostic.

    Where each network has one score (``held_out``), same-seed would be that same score again, and is left out.
    """
    summary = predictor_summary(predictor_scores)
    if "held_out" in set(summary["protocol"]):
        summary = summary[summary["protocol"] != "same_seed"]
    rows, muted, emphasised = [], set(), set()
    best: set[str] = set()
    for index, row in enumerate(summary.to_dict("records")):
        protocol = str(row["protocol"])
        if protocol == "same_seed":
            muted.add(index)
        elif protocol not in best:
            best.add(protocol)
            emphasised.add(index)
        rows.append(
            cells(
                str(row["predictor"]),
                Cell(_PROTOCOLS.get(protocol, protocol), note="diagnostic" if index in muted else ""),
                Cell(_mean_std(row, "kendall_tau"), bar=_fraction(row["kendall_tau"])),
                _mean_std(row, "spearman"),
                _mean_std(row, "kendall_tau_top_half"),
                numbers.DASH if numbers.is_missing(row["rmse"]) else f"{row['rmse']:.4f}",
            )
        )
    columns = (
        ("predictor", "left"),
        ("scored on", "left"),
        ("Kendall tau-b", "right"),
        ("Spearman", "right"),
        ("tau, top half", "right"),
        ("RMSE", "right"),
    )
    return Table(columns, tuple(rows), frozenset(emphasised), frozenset(muted))


def _mean_std(row: Mapping[Any, Any], name: str) -> str:
    spread = row.get(f"{name}_std")
    return numbers.tau(row[name]) + ("" if numbers.is_missing(spread) else f" ± {numbers.tau(spread)}")


def _fraction(value: Any) -> float | None:
    return None if numbers.is_missing(value) else min(max(float(value), 0.0), 1.0)


def candidates_table(run: Run) -> Table:
    """The first candidates of every budget and its winner, with what was predicted, measured and decided.

    What was trained beside them has no rank and comes after them.
    """
    verified = run.verified_candidates
    if verified.empty:
        return Table((("candidate", "left"),), ())
    won = {(str(winner["budget"]), str(winner["architecture"])) for winner in run.found}
    shown = _candidate_columns(run)
    rows: list[tuple[Cell, ...]] = []
    emphasised: set[int] = set()
    for _, of_budget in verified.groupby("budget", sort=False):
        in_order = of_budget.sort_values("rank", key=lambda ranks: ranks.where(ranks > 0, np.inf), kind="stable")
        for index, row in enumerate(in_order.to_dict("records")):
            winner = (str(row["budget"]), str(row["network"])) in won
            if index >= run.report.candidates_shown and not winner:
                continue
            if winner:
                emphasised.add(len(rows))
            rows.append(cells(*(show(row) for show in shown.values())))
    columns = tuple((title, "left" if title in _LEFT else "right") for title in shown)
    return Table(columns, tuple(rows), frozenset(emphasised))


def on_shared_weights(run: Run) -> str:
    """What to add to a predicted score that is not of networks trained alone."""
    return " (shared weights)" if run.has_atlas and score_column(run.atlas).startswith("predicted_supernet_") else ""


_LEFT = ("budget", "network", "verdict")


def _ranked_by(run: Run, row: Mapping[Any, Any]) -> str:
    if not row["rank"]:
        return numbers.DASH
    return run.ranked_by(str(row["budget"]), str(row["network"]))


def _candidate_columns(run: Run) -> dict[str, Callable[[Mapping[Any, Any]], str | Cell]]:
    """Titles of the candidates' columns, and what each shows of a row."""
    supernet: dict[str, Callable[[Mapping[Any, Any]], str | Cell]] = {
        "super-network (shared weights)": lambda row: numbers.percent(row["supernet_accuracy"])
    }
    ranked: dict[str, Callable[[Mapping[Any, Any]], str | Cell]] = {"ranked by": lambda row: _ranked_by(run, row)}
    alone = f"{run.choosing_accuracy} accuracy" if run.alone_is_looked_up else "alone (validation)"
    return {
        "budget": lambda row: str(row["budget"]),
        "rank": lambda row: numbers.whole(row["rank"] or None),
        **(ranked if "ranked_by" in run.candidates else {}),
        "network": lambda row: Cell(str(row["network"]), code=True),
        f"predicted{on_shared_weights(run)}": lambda row: run.predicted(row["predicted_score"], row.get("method")),
        **(supernet if run.table is None and len(run.supernet_curves) else {}),
        alone: lambda row: numbers.percent_with_std(row["validation_accuracy_mean"], row["validation_accuracy_std"]),
        "MACs": lambda row: numbers.short(row["macs"]),
        "params": lambda row: numbers.short(row["params"]),
        "latency": lambda row: numbers.milliseconds(row["latency_ms"]),
        "verdict": lambda row: Cell(str(row["verdict"]), wrap=True),
    }
