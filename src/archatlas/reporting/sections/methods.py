"""The section that sets search methods side by side: what they have found against what they have spent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from archatlas.reporting import numbers
from archatlas.reporting.blocks import Chart, Section, TableBlock, Text
from archatlas.reporting.figures.theme import BLUE, CYCLE, GREY, ORANGE, PURPLE, SHARE, themed
from archatlas.reporting.run import Run
from archatlas.reporting.tables import Cell, Table, cells
from archatlas.systems.at_initialisation import WITHOUT_TRAINING
from archatlas.systems.ledger import NOT_COUNTED

_CONTROL = "random_search"
_COLOURS = {"atlas": BLUE, "segments": PURPLE, _CONTROL: GREY, "regularised_evolution": ORANGE}


def methods_section(run: Run) -> Section | None:
    """Accuracies of what each method would choose, trained alone, against multiply-accumulates; None if none ran."""
    comparison = run.method_comparison
    if comparison.empty:
        return None
    known = "in the table" if run.alone_is_looked_up else "trained alone, on the validation images"
    blocks: list[Any] = [
        Chart(
            "methods",
            figure_methods(comparison),
            "Accuracy of the networks that each search method would choose against what it has spent, by budget",
            f"Accuracy {known}, against what was spent",
        ),
        Text(
            "A mark is the mean over the searches of a method. Its line is the 95% interval of its lead over random "
            "search, search by search (Student's t; none of fewer than three): where it does not reach down to the "
            "dashed line, chance alone hardly explains the lead. The main job and the segments search once and stand "
            "beside each random search, so that their interval holds the spread of random search and not their own."
        ),
        TableBlock(methods_table(comparison), "What each method has found, and what it has spent on one search"),
        Text(f"{costs_of(run, comparison)} {NOT_COUNTED}"),
    ]
    return Section(
        "methods",
        "Search methods",
        f"Is the search worth its while? What each method would choose for each budget is judged {known}, and what "
        "finding it has cost stands beside it.",
        blocks,
    )


def costs_of(run: Run, comparison: pd.DataFrame) -> str:
    """What the compared methods go by, and whether they may spend alike."""
    text = f"Methods that score networks {scored_by(run)}, and may score equally many."
    untrained = [title_of(name) for name in WITHOUT_TRAINING if name in set(comparison["method"])]
    if untrained:
        text += f" What searches at initialisation ({', '.join(untrained)}) scores none and trains nothing."
    return text


def scored_by(run: Run) -> str:
    """What methods score networks by, as the middle of a sentence."""
    if run.methods_train and run.table is None:
        return "train each alone on one short schedule"
    return "use the same super-networks"


def figure_methods(comparison: pd.DataFrame) -> go.Figure:
    """A panel for each budget: accuracy over multiply-accumulates, or over networks scored where none were counted."""
    budgets = list(dict.fromkeys(comparison["budget"]))
    methods = list(dict.fromkeys(comparison["method"]))
    figure = make_subplots(cols=len(budgets), subplot_titles=budgets, shared_yaxes=True, horizontal_spacing=0.04)
    table = comparison.assign(spent=spent(comparison))
    for column, budget in enumerate(budgets, start=1):
        rows = table[table["budget"] == budget].set_index("method")
        for number, method in enumerate(name for name in methods if name in rows.index):
            row = rows.loc[method]
            figure.add_scatter(
                x=[row["spent"]],
                y=[row["accuracy"]],
                error_y=_interval(row),
                mode="markers",
                marker={"size": 11, "color": _COLOURS.get(method, CYCLE[number % len(CYCLE)])},
                name=title_of(method),
                legendgroup=method,
                showlegend=column == 1,
                hovertemplate="%{y:.1%} for %{x:.3s}",
                row=1,
                col=column,
            )
        if _CONTROL in rows.index:
            figure.add_hline(rows.loc[_CONTROL, "accuracy"], line={"dash": "dash", "color": GREY}, row=1, col=column)
    figure.update_yaxes(tickformat=".0%", **SHARE)
    figure.update_yaxes(title_text="accuracy", col=1)
    counted = bool(comparison["forward_macs"].any())
    figure.update_xaxes(title_text="multiply-accumulates" if counted else "networks scored", tickformat="~s")
    return themed(figure, height=380, legend={"y": 1.12})


def spent(comparison: pd.DataFrame) -> pd.Series:
    """Multiply-accumulates forward and backward; networks scored where none were counted."""
    macs = comparison["forward_macs"] + comparison["backward_macs"]
    return macs if macs.any() else comparison["evaluations"]


def _interval(row: Any) -> dict[str, Any]:
    """The interval of the lead, drawn about the accuracy."""
    if numbers.is_missing(row["ahead_low"]):
        return {"visible": False}
    above, below = row["ahead_high"] - row["ahead"], row["ahead"] - row["ahead_low"]
    return {"type": "data", "symmetric": False, "array": [above], "arrayminus": [below], "thickness": 2, "width": 5}


def methods_table(comparison: pd.DataFrame) -> Table:
    """A row per method and budget, the best of a budget first."""
    rows: list[tuple[Cell, ...]] = []
    ranked = comparison.sort_values("accuracy", ascending=False, kind="stable")
    for budget in dict.fromkeys(comparison["budget"]):
        rows.append(cells(str(budget)))
        rows += [_row(row) for row in ranked[ranked["budget"] == budget].to_dict("records")]
    columns = (
        ("method", "left"),
        ("searches", "right"),
        ("accuracy", "right"),
        ("ahead of random search", "right"),
        ("networks scored", "right"),
        ("MACs spent", "right"),
        ("trained alone", "right"),
    )
    return Table(columns, tuple(rows))


def _row(row: Mapping[Any, Any]) -> tuple[Cell, ...]:
    ends = None if numbers.is_missing(row["ahead_low"]) else [100 * row["ahead_low"], 100 * row["ahead_high"]]
    told = "" if ends is None else f" ({numbers.interval(ends, 1)})"
    macs = row["forward_macs"] + row["backward_macs"]
    return cells(
        title_of(str(row["method"])),
        numbers.whole(row["searches"]),
        numbers.percent_with_std(row["accuracy"], row["accuracy_std"]),
        f"{numbers.points(row['ahead'])}{told}",
        numbers.whole(row["evaluations"]),
        numbers.short(macs, "MACs") if macs else numbers.DASH,
        numbers.whole(row["trainings"]) if row["trainings"] else numbers.DASH,
    )


def title_of(method: str) -> str:
    """What the page calls a method."""
    return {"atlas": "atlas (the main job)"}.get(method, method.replace("_", " "))
