"""Tables of the page: rows of text that is ready to be read, made from the run's data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from archatlas.reporting import numbers
from archatlas.reporting.run import Run


@dataclass(frozen=True)
class Cell:
    """One entry: text, and if asked a bar of ``bar`` (0 to 1) of the column's width, a note, a detail below.

    ``tone`` is ``best`` for the best of its row, ``muted`` for what is nothing special there.
    """

    text: str
    bar: float | None = None
    note: str = ""
    code: bool = False
    wrap: bool = False
    detail: str = ""
    tone: Literal["", "best", "muted"] = ""


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
            numbers.between(numbers.cost(row["least"], row["cost"]), numbers.cost(row["most"], row["cost"])),
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
    """Mean and standard deviation over folds and seeds: a row per protocol and predictor, cross-seed and best first."""
    if predictor_scores.empty:
        return pd.DataFrame(columns=["protocol", "predictor", "kendall_tau", "kendall_tau_std"])
    metrics = ["kendall_tau", "spearman", "kendall_tau_top_half", "rmse"]
    grouped = predictor_scores.groupby(["protocol", "predictor"], sort=True)[metrics]
    summary = grouped.mean().join(grouped.std().add_suffix("_std")).reset_index()
    order = np.lexsort((-summary["kendall_tau"].fillna(-2), summary["protocol"] != "cross_seed"))
    return summary.iloc[order].reset_index(drop=True)


def predictors_table(predictor_scores: pd.DataFrame) -> Table:
    """The scores of all predictors; the same-seed protocol is marked as a diagnostic."""
    summary = predictor_summary(predictor_scores)
    rows, muted, emphasised = [], set(), set()
    best: set[str] = set()
    for index, row in enumerate(summary.to_dict("records")):
        protocol = str(row["protocol"])
        if protocol != "cross_seed":
            muted.add(index)
        elif protocol not in best:
            best.add(protocol)
            emphasised.add(index)
        rows.append(
            cells(
                str(row["predictor"]),
                Cell(protocol.replace("_", " ").replace(" seed", "-seed"), note="diagnostic" if index in muted else ""),
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
    """The first candidates of every budget and its winner, with what was predicted, measured and decided."""
    verified = run.verified_candidates
    if verified.empty:
        return Table((("candidate", "left"),), ())
    won = {(str(winner["budget"]), str(winner["architecture"])) for winner in run.found}
    rows: list[tuple[Cell, ...]] = []
    emphasised: set[int] = set()
    for _, of_budget in verified.groupby("budget", sort=False):
        for index, row in enumerate(of_budget.sort_values("rank").to_dict("records")):
            winner = (str(row["budget"]), str(row["network"])) in won
            if index >= run.report.candidates_shown and not winner:
                continue
            if winner:
                emphasised.add(len(rows))
            rows.append(
                cells(
                    str(row["budget"]),
                    numbers.whole(row["rank"]),
                    Cell(str(row["network"]), code=True),
                    numbers.score(row["predicted_score"], run.target),
                    numbers.percent(row["supernet_accuracy"]),
                    numbers.percent_with_std(row["validation_accuracy_mean"], row["validation_accuracy_std"]),
                    numbers.short(row["macs"]),
                    numbers.short(row["params"]),
                    numbers.milliseconds(row["latency_ms"]),
                    Cell(str(row["verdict"]), wrap=True),
                )
            )
    columns = (
        ("budget", "left"),
        ("rank", "right"),
        ("network", "left"),
        ("predicted", "right"),
        ("super-network", "right"),
        ("alone (validation)", "right"),
        ("MACs", "right"),
        ("params", "right"),
        ("latency", "right"),
        ("verdict", "left"),
    )
    return Table(columns, tuple(rows), frozenset(emphasised))
