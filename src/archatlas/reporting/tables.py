"""Tables of the page: rows of text that is ready to be read, made from the run's data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from archatlas.reporting import numbers
from archatlas.reporting.run import Run, verified_row


@dataclass(frozen=True)
class Cell:
    """One entry: text, and if asked a bar of ``bar`` (0 to 1) of the column's width, a note, monospace, wrapping."""

    text: str
    bar: float | None = None
    note: str = ""
    code: bool = False
    wrap: bool = False


@dataclass(frozen=True)
class Table:
    """Column titles with their alignment, and rows of cells. ``emphasised`` rows stand out, ``muted`` ones recede."""

    columns: tuple[tuple[str, Literal["left", "right"]], ...]
    rows: tuple[tuple[Cell, ...], ...]
    emphasised: frozenset[int] = frozenset()
    muted: frozenset[int] = frozenset()


def _cells(*entries: str | Cell) -> tuple[Cell, ...]:
    return tuple(entry if isinstance(entry, Cell) else Cell(entry) for entry in entries)


def splits_table(run: Run) -> Table:
    """Images of each split, with the smallest and the largest class."""
    rows = []
    for split, images in run.image_description.get("splits", {}).items():
        counts = run.class_counts[run.class_counts["split"] == split].sort_values("images", kind="stable")
        least, most = (counts.iloc[0], counts.iloc[-1]) if len(counts) else (None, None)
        rows.append(
            _cells(
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
        _cells(
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
            _cells(
                str(row["predictor"]),
                Cell(protocol.replace("_", " ").replace(" seed", "-seed"), note="" if index not in muted else "diagnostic"),
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
    rows, emphasised = [], set()
    for _, of_budget in verified.groupby("budget", sort=False):
        for index, row in enumerate(of_budget.sort_values("rank").to_dict("records")):
            winner = (str(row["budget"]), str(row["network"])) in won
            if index >= run.report.candidates_shown and not winner:
                continue
            if winner:
                emphasised.add(len(rows))
            rows.append(
                _cells(
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
    return Table(columns, tuple(rows), frozenset(emphasised))  # type: ignore[arg-type]


def latency_quartiles(row: Mapping[Any, Any]) -> str:
    """Lower and upper quartile of a measured latency; a dash if it was not measured."""
    lower, upper = row.get("latency_lower_quartile_ms"), row.get("latency_upper_quartile_ms")
    if numbers.is_missing(upper):
        return numbers.DASH
    if numbers.is_missing(lower):
        return f"upper {numbers.milliseconds(upper)}"
    return numbers.between(numbers.milliseconds(lower), numbers.milliseconds(upper))


@dataclass(frozen=True)
class Mark:
    """A labelled dot on a card's scale: ``place`` from 0 (left) to 1 (right)."""

    label: str
    text: str
    place: float
    role: str


@dataclass(frozen=True)
class Card:
    """What was found for one budget. ``accuracy`` is empty where there is no winner; then ``reason`` says why."""

    budget: str
    limits: tuple[str, ...]
    found: bool
    architecture: str
    accuracy: str
    gain: str
    marks: tuple[Mark, ...]
    facts: tuple[tuple[str, str], ...]
    reason: str
    nearest_misses: tuple[str, ...]


def cards(run: Run) -> list[Card]:
    """One card per budget, in the order of the winners."""
    return [_found_card(run, winner) if winner.get("status") == "found" else _none_card(run, winner) for winner in run.winners]


def limits_of(run: Run, budget: str) -> tuple[str, ...]:
    """The budget's bounds in units: ``at most 120 k MACs``."""
    rows = run.feasibility[run.feasibility["budget"] == budget] if len(run.feasibility) else run.feasibility
    return tuple(
        f"at {'most' if row['bound'] == 'max' else 'least'} {numbers.cost(row['limit'], row['cost'])}"
        for row in rows.to_dict("records")
    )


def _found_card(run: Run, winner: Mapping[str, Any]) -> Card:
    budget, network = str(winner["budget"]), str(winner["architecture"])
    verified = verified_row(run.verified_candidates, budget, network)
    predicted_name = "predicted accuracy" if run.target == "accuracy" else "predicted score"
    facts = (
        (predicted_name, numbers.score(winner.get("predicted"), run.target)),
        ("super-network's accuracy", numbers.percent(winner.get("supernet_accuracy"))),
        (
            "validation accuracy, alone",
            numbers.percent_with_std(winner.get("validation_accuracy_mean"), verified.get("validation_accuracy_std")),
        ),
        ("MACs", numbers.short(winner.get("macs"))),
        ("params", numbers.short(winner.get("params"))),
        ("latency, median", numbers.milliseconds(winner.get("latency_ms"))),
        ("latency, quartiles", latency_quartiles({**verified, **_given(winner)})),
    )
    if not numbers.is_missing(winner.get("mobilenet_macs")):
        facts += (("MACs of the MobileNet", numbers.short(winner["mobilenet_macs"])),)
    return Card(
        budget=budget,
        limits=limits_of(run, budget),
        found=True,
        architecture=network,
        accuracy=numbers.percent_with_std(winner.get("test_accuracy_mean"), winner.get("test_accuracy_std")),
        gain=_gain(winner),
        marks=_marks(winner),
        facts=facts,
        reason="",
        nearest_misses=(),
    )


def _given(winner: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in winner.items() if value is not None}


def _gain(winner: Mapping[str, Any]) -> str:
    mean, random = winner.get("test_accuracy_mean"), winner.get("random_accuracy_mean")
    if numbers.is_missing(mean) or numbers.is_missing(random):
        return ""
    count = winner.get("random_count")
    networks = f"{count} random networks" if count else "random networks"
    return f"{numbers.points(float(mean) - float(random))} against {networks} of the same budget"  # type: ignore[arg-type]


def _marks(winner: Mapping[str, Any]) -> tuple[Mark, ...]:
    """Test accuracies as dots on one scale, which starts a little below the least and ends a little above the best."""
    entries = [
        ("winner", winner.get("test_accuracy_mean"), winner.get("test_accuracy_std"), "winner"),
        ("random networks", winner.get("random_accuracy_mean"), winner.get("random_accuracy_std"), "random"),
        ("scaled MobileNet", winner.get("mobilenet_accuracy_mean"), None, "mobilenet"),
    ]
    known = [float(mean) for _, mean, _, _ in entries if mean is not None and not numbers.is_missing(mean)]
    if not known:
        return ()
    margin = max(0.005, 0.15 * (max(known) - min(known)))
    left, right = min(known) - margin, max(known) + margin
    return tuple(
        Mark(label, numbers.percent_with_std(mean, std), (float(mean) - left) / (right - left), role)
        for label, mean, std, role in entries
        if mean is not None and not numbers.is_missing(mean)
    )


def _none_card(run: Run, winner: Mapping[str, Any]) -> Card:
    budget = str(winner.get("budget", ""))
    return Card(
        budget=budget,
        limits=limits_of(run, budget),
        found=False,
        architecture="",
        accuracy="",
        gain="",
        marks=(),
        facts=(),
        reason=str(winner.get("reason") or "No candidate met the budget."),
        nearest_misses=tuple(_miss(miss) for miss in winner.get("nearest_misses") or ()),
    )


def _miss(miss: Any) -> str:
    """A near miss in words: a string as it is; an object as its name and costs."""
    if not isinstance(miss, Mapping):
        return str(miss)
    name = str(miss.get("network") or miss.get("architecture") or "")
    costs = [
        numbers.cost(miss[key], key)
        for key in ("macs", "params", "latency_ms", "latency_upper_quartile_ms")
        if not numbers.is_missing(miss.get(key))
    ]
    return ": ".join(part for part in (name, ", ".join(costs)) if part)


def stages_table(stage_times: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Columns stage, seconds, peak_memory_mib: nodes of a stage summed, memory at its peak, in order of start."""
    rows = [
        {
            "stage": str(entry.get("pipeline") or name),
            "started": str(entry.get("started", "")),
            "seconds": float(entry.get("seconds") or 0.0),
            "peak_memory_mib": float(entry.get("peak_memory_mib") or float("nan")),
        }
        for name, entry in stage_times.items()
    ]
    if not rows:
        return pd.DataFrame({"stage": [], "seconds": [], "peak_memory_mib": []})
    frame = pd.DataFrame(rows)
    grouped = frame.groupby("stage", sort=False).agg(
        started=("started", "min"), seconds=("seconds", "sum"), peak_memory_mib=("peak_memory_mib", "max")
    )
    ordered = grouped.sort_values("started", kind="stable").reset_index()
    return ordered[["stage", "seconds", "peak_memory_mib"]]
