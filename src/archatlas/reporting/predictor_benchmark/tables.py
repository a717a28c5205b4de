"""Tables of the page on predictors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from archatlas.reporting import numbers
from archatlas.reporting.predictor_benchmark.records import (
    GOALS,
    KNOWN,
    PUBLISHED,
    QUERIES,
    QUERY_GOALS,
    Record,
    of_set,
    words,
)
from archatlas.reporting.predictor_benchmark.view import Comparison
from archatlas.reporting.tables import Cell, Table, cells

SKIPPED = {"too slow": "too slow", "no proxies": "no proxies known"}


def tau(value: Any, error: Any = None) -> str:
    """``.842 ± .003``: three decimals, as differences between predictors are small."""
    if numbers.is_missing(value):
        return numbers.DASH
    spread = "" if numbers.is_missing(error) else f" ± {_three(error)}"
    return _three(value) + spread


def _three(value: Any) -> str:
    return f"{float(value):.3f}".replace("0.", ".", 1)


def taus_table(comparison: Comparison) -> Table:
    """A row per predictor and a column per number of labels: mean tau ± standard error, and that of unseen networks.

    Below stand what others published, what was known before, and what is to be reached.
    """
    labels = comparison.labels
    beside = comparison.split == "rows"
    rows: list[tuple[Cell, ...]] = []
    for name in comparison.predictors:
        entries = [_tau_cell(comparison.row(name, count), beside) for count in labels]
        rows.append(cells(Cell(comparison.title(name), note=comparison.knows(name)), *entries))
    own = len(rows)
    rows += [
        _record_row(title, _highest(records), labels)
        for title, records in (
            ("best published", of_set(PUBLISHED, comparison.space, comparison.learned)),
            ("known before", of_set(KNOWN, comparison.space, comparison.learned)),
            ("to reach", of_set(GOALS, comparison.space, comparison.learned)),
        )
        if records
    ]
    columns = (("predictor", "left"), *((f"{count:,} labels", "right") for count in labels))
    return Table(columns, tuple(rows), muted=frozenset(range(own, len(rows))))


def _tau_cell(row: Mapping[Any, Any] | None, beside: bool) -> Cell:
    if row is None:
        return Cell(numbers.DASH)
    if row["status"] != "done":
        return Cell(SKIPPED[str(row["status"])], tone="muted")
    tone: Literal["", "best", "near"] = "best" if row["best"] else "near" if row["within_noise"] else ""
    detail = f"unseen {tau(row['unseen_kendall_tau'])}" if beside else ""
    return Cell(tau(row["kendall_tau"], row["kendall_tau_se"]), detail=detail, tone=tone)


def _highest(records: Sequence[Record]) -> dict[int, tuple[float, str]]:
    """The highest figure for each number of labels, and whose it is."""
    found: dict[int, tuple[float, str]] = {}
    for record in records:
        for count, value in record.taus.items():
            if count not in found or value > found[count][0]:
                found[count] = value, record.title
    return found


def _record_row(title: str, best: Mapping[int, tuple[float, str]], labels: Sequence[int]) -> tuple[Cell, ...]:
    entries = [
        Cell(tau(best[count][0]), detail=best[count][1] if title == "best published" else "")
        if count in best
        else Cell(numbers.DASH)
        for count in labels
    ]
    return cells(title, *entries)


def measures_table(comparison: Comparison) -> Table:
    """All that was measured, under a heading for each number of labels; times in the same row as the tau."""
    formulas = comparison.summary["unseen_formula_kendall_tau"].notna().any()
    rows: list[tuple[Cell, ...]] = []
    for count in comparison.labels:
        rows.append((Cell(f"{count:,} labels"),))
        for name in comparison.predictors:
            row = comparison.row(name, count)
            if row is None or row["status"] != "done":
                continue
            entries: list[str | Cell] = [
                Cell(comparison.title(name), note=comparison.knows(name)),
                tau(row["kendall_tau"], row["kendall_tau_se"]),
                _behind(row),
                tau(row["unseen_kendall_tau"]),
                *([tau(row["unseen_formula_kendall_tau"])] if formulas else []),
                tau(row["spearman"]),
                tau(row["kendall_tau_top_half"]),
                numbers.percent(row["precision_top_50"], 0),
                numbers.points(row["regret"], 2).lstrip("+"),
                numbers.percent(row["coverage_80"], 0),
                numbers.percent(row["coverage_95"], 0),
                Cell(
                    numbers.seconds(row["fit_process_seconds"]), detail=f"clock {numbers.seconds(row['fit_seconds'])}"
                ),
                Cell(numbers.short(_rate(row)), detail=f"clock {numbers.short(row['architectures_per_second'])}"),
            ]
            rows.append(cells(*entries))
    columns = [
        ("predictor", "left"),
        ("tau", "right"),
        ("behind the best (95%)", "right"),
        ("tau, unseen networks", "right"),
        *([("tau, unseen formulas", "right")] if formulas else []),
        ("Spearman", "right"),
        ("tau, top half", "right"),
        ("precision, top 50", "right"),
        ("regret", "right"),
        ("in 80% interval", "right"),
        ("in 95% interval", "right"),
        ("fit, CPU", "right"),
        ("predicted a CPU second", "right"),
    ]
    return Table(tuple(columns), tuple(rows))


def _behind(row: Mapping[Any, Any]) -> str:
    if row["best"]:
        return "best"
    bounds = (row["behind_best_low"], row["behind_best_high"])
    known = "" if numbers.is_missing(bounds[0]) else f" ({numbers.interval(bounds, 3)})"
    return f"{tau(row['behind_best'])}{known}"


def _rate(row: Mapping[Any, Any]) -> float | None:
    """Architectures predicted in a second of CPU time."""
    seconds, wall, rate = (
        row[name] for name in ("predict_process_seconds", "predict_seconds", "architectures_per_second")
    )
    if any(numbers.is_missing(value) for value in (seconds, wall, rate)) or not seconds:
        return None
    return float(rate) * float(wall) / float(seconds)


def goals_table(found: Sequence[Comparison], medians: Mapping[str, float]) -> tuple[Table, int]:
    """Each figure to reach, with the best predictor's; and how many are reached."""
    rows: list[tuple[Cell, ...]] = []
    reached = 0
    for comparison in found:
        for goal in of_set(GOALS, comparison.space, comparison.learned):
            for count, value in goal.taus.items():
                best = comparison.best(count)
                if best is None:
                    continue
                there = float(best["kendall_tau"]) >= value
                reached += there
                rows.append(
                    cells(
                        words(comparison.space).title,
                        f"{count:,} {comparison.learned} labels",
                        tau(value),
                        Cell(tau(best["kendall_tau"], best["kendall_tau_se"]), tone="best" if there else ""),
                        Cell(comparison.title(str(best["predictor"])), note=comparison.knows(str(best["predictor"]))),
                    )
                )
    for space, goal_count in QUERY_GOALS.items():
        if space in medians:
            there = medians[space] <= goal_count
            reached += there
            median = numbers.DASH if not np.isfinite(medians[space]) else f"{medians[space]:g}"
            rows.append(
                cells(
                    words(space).title,
                    "evaluations to the best",
                    str(goal_count),
                    Cell(median, tone="best" if there else ""),
                    "acquisition loop",
                )
            )
    columns = (("space", "left"), ("figure", "left"), ("to reach", "right"), ("here", "right"), ("by", "left"))
    return Table(columns, tuple(rows)), reached


def loops_table(runs: pd.DataFrame, titles: Mapping[str, str], at: Sequence[int]) -> Table:
    """A row per acquisition loop: evaluations until the best, and what a user holds in his hands on the way."""
    rows = []
    for name, part in runs.groupby("loop", sort=False):
        first = part.iloc[0]
        needed = evaluations_needed(part)
        held = [held_at(part, count) for count in at]
        low, high = _quartile(needed, 25), _quartile(needed, 75)
        rows.append(
            cells(
                Cell(titles.get(str(name)) or str(name), note="costs" if first["uses_costs"] else ""),
                str(first["predictor"]),
                f"{first['rule'].replace('_', ' ')}, {first['weight']:g}"
                if first["rule"] in ("upper_confidence", "thompson")
                else str(first["rule"]).replace("_", " "),
                f"{first['first']} + {first['batch']} each",
                Cell(_count(_quartile(needed, 50)), detail=f"{_count(low)} to {_count(high)}"),
                f"{int(part['found'].sum())} of {len(part)}",
                *(numbers.percent(value, 2) for value in held),
                numbers.seconds(part["process_seconds"].mean()),
            )
        )
    columns = (
        ("loop", "left"),
        ("predictor", "left"),
        ("rule", "left"),
        ("labels", "left"),
        ("evaluations to the best, median (quartiles)", "right"),
        ("found", "right"),
        *((f"in hand at {count}", "right") for count in at),
        ("CPU a loop", "right"),
    )
    return Table(columns, tuple(rows))


def evaluations_needed(runs: pd.DataFrame) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Evaluations of each run until the best was among them, infinite for one that gave up."""
    needed = runs["evaluations"].to_numpy(dtype=np.float64)
    return np.where(runs["found"].to_numpy(dtype=np.bool_), needed, np.inf)


def held_at(runs: pd.DataFrame, count: int) -> float:
    """Mean over runs of the reported accuracy of what had the best observed one after ``count`` evaluations."""
    return float(np.mean([held[min(count, len(held)) - 1] for held in runs["chosen_reported"]]))


def _quartile(values: np.ndarray[Any, np.dtype[np.float64]], percent: float) -> float:
    """A percentile that may be infinite: that of the ordered values, never between a number and infinity."""
    return float(np.percentile(values, percent, method="higher" if np.isinf(values).any() else "linear"))


def _count(value: float) -> str:
    return f"{value:g}" if np.isfinite(value) else "not found"


def median_by_space(runs: pd.DataFrame) -> dict[str, float]:
    """For each space the least median over loops."""
    medians: dict[str, float] = {}
    for (space, _), part in runs.groupby(["space", "loop"], sort=False):
        median = _quartile(evaluations_needed(part), 50)
        medians[str(space)] = min(median, medians.get(str(space), np.inf))
    return medians


def records_table() -> Table:
    """Where published figures come from."""
    rows = [
        cells(
            record.title,
            words(record.space).title,
            ", ".join(f"{tau(value)} at {count:,}" for count, value in record.taus.items()),
            Cell(record.source + (f"; {record.note}" if record.note else ""), wrap=True),
        )
        for record in PUBLISHED
    ]
    rows += [
        cells(query.title, words(space).title, f"{query.evaluations} evaluations", Cell(query.source, wrap=True))
        for space, queries in QUERIES.items()
        for query in queries
    ]
    columns = (("method", "left"), ("space", "left"), ("Kendall's tau", "left"), ("source", "left"))
    return Table(columns, tuple(rows))
