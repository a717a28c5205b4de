"""What the networks reached: winners beside their comparisons, classes, and latency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from archatlas.reporting.figures.theme import (
    BLUE,
    CYCLE,
    GREY,
    MOBILENET,
    RANDOM,
    SHARE,
    WINNER,
    empty,
    themed,
)

SERIES = (
    ("random", "random, same budget", RANDOM, "circle"),
    ("mobilenet", "scaled MobileNet", MOBILENET, "square"),
    ("winner", "winner", WINNER, "star"),
)
"""What stands in a row: name, label, colour, symbol."""


def figure_comparison(
    trainings: pd.DataFrame,
    winners: Sequence[Mapping[str, Any]],
    without_mobilenet: Mapping[str, str] | None = None,
) -> go.Figure:
    """Test accuracy of every training of a winner, of random networks and of the MobileNet, a row per budget.

    Args:
        trainings: budget, role, network, seed, test_accuracy.
        winners: budget and architecture of those that were found.
        without_mobilenet: says of budgets why none stands there.
    """
    budgets = [str(winner["budget"]) for winner in winners]
    tested = _beside_each_other(trainings[trainings["test_accuracy"].notna()], winners) if len(trainings) else trainings
    if tested.empty:
        return empty("No winner was tested.")
    rows = {budget: len(budgets) - 1 - index for index, budget in enumerate(budgets)}
    figure = go.Figure()
    for offset, (series, label, colour, symbol) in zip((-0.22, 0.0, 0.22), SERIES, strict=True):
        runs = tested[tested["series"] == series]
        if runs.empty:
            continue
        height = [rows[budget] + offset for budget in runs["budget"]]
        figure.add_trace(
            go.Scatter(
                x=runs["test_accuracy"],
                y=height,
                text=runs["network"],
                mode="markers",
                marker={"color": colour, "symbol": symbol, "size": 12 if series == "winner" else 9, "opacity": 0.8},
                name=label,
                hovertemplate="%{text}<br>%{x:.2%}<extra>" + label + "</extra>",
            )
        )
        for budget, accuracies in runs.groupby("budget")["test_accuracy"]:
            middle, mean = rows[str(budget)] + offset, float(accuracies.mean())
            line = {"color": colour, "width": 3}
            figure.add_shape(type="line", x0=mean, x1=mean, y0=middle - 0.1, y1=middle + 0.1, line=line)
    for budget, reason in (without_mobilenet or {}).items():
        figure.add_annotation(
            x=0, xref="paper", xanchor="left", y=rows[budget], showarrow=False, text=f"scaled MobileNet: {reason}"
        )
    return themed(
        figure,
        height=150 + 84 * len(budgets),
        xaxis={"title": {"text": "test accuracy"}, "tickformat": ".1%", "nticks": 8, **SHARE},
        yaxis={
            "tickvals": [rows[budget] for budget in budgets],
            "ticktext": list(budgets),
            "range": [-0.5, len(budgets) - 0.5],
            "ticks": "",
        },
    )


def _beside_each_other(tested: pd.DataFrame, winners: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Trainings by the budget in whose row they stand, and as what (``series``).

    A winner may be another budget's finalist or draw, or be trained for several, and is no rival of itself.
    """
    tested = tested[tested["role"].isin(["candidate", "random", "mobilenet"])]
    parts = [tested.iloc[:0].assign(series="")]
    for winner in winners:
        won = tested["network"] == winner["architecture"]
        own = tested[won].drop_duplicates("seed").assign(budget=str(winner["budget"]), series="winner")
        beside = tested[~won & (tested["budget"] == winner["budget"]) & (tested["role"] != "candidate")]
        parts += [beside.assign(series=beside["role"]), own]
    return pd.concat(parts, ignore_index=True)


def figure_class_accuracy(winners: Sequence[Mapping[str, Any]], class_names: Sequence[str]) -> go.Figure:
    """Recall of each class on the test split, a line of markers per winner; classes from hardest to easiest."""
    tested = [winner for winner in winners if winner.get("per_class_accuracy")]
    if not tested:
        return empty("No winner was tested.")
    recalls = pd.DataFrame(
        {str(winner["budget"]): winner["per_class_accuracy"] for winner in tested}, index=list(class_names), dtype=float
    )
    recalls = recalls.loc[recalls.mean(axis=1).sort_values(kind="stable").index]
    figure = go.Figure(
        [
            go.Scatter(
                x=recalls.index,
                y=recalls[budget],
                mode="markers",
                marker={"size": 10, "color": CYCLE[index % len(CYCLE)], "opacity": 0.85},
                name=budget,
                hovertemplate="%{x}: %{y:.1%}<extra>" + budget + "</extra>",
            )
            for index, budget in enumerate(recalls.columns)
        ]
    )
    return themed(
        figure,
        height=340,
        xaxis={"title": {"text": "class, hardest first"}, "type": "category", "showgrid": True},
        yaxis={"title": {"text": "test accuracy of the class"}, "tickformat": ".0%", **SHARE},
    )


def figure_class_counts(class_counts: pd.DataFrame) -> go.Figure:
    """Images of each class, stacked by split."""
    if class_counts.empty:
        return empty("No images were counted.")
    figure = go.Figure()
    order = [split for split in ("train", "validation", "test") if split in set(class_counts["split"])]
    for split, colour in zip(order, (BLUE, CYCLE[1], GREY), strict=False):
        part = class_counts[class_counts["split"] == split]
        figure.add_trace(
            go.Bar(
                x=part["class_name"],
                y=part["images"],
                marker={"color": colour},
                name=split,
                hovertemplate="%{x}: %{y:,} images<extra>" + split + "</extra>",
            )
        )
    return themed(
        figure,
        height=280,
        barmode="stack",
        legend={"traceorder": "normal"},
        bargap=0.25,
        xaxis={"type": "category", "title": {"text": "class"}, "showgrid": False},
        yaxis={"title": {"text": "images"}},
    )


def figure_latency_check(latency_check: pd.DataFrame) -> go.Figure:
    """Predicted against measured latency of whole networks, with measured quartiles and the line of equality."""
    if latency_check.empty:
        return empty("Latency was not measured on this machine.")
    predicted = latency_check["predicted_latency_ms"].to_numpy(np.float64)
    measured = latency_check["measured_latency_ms"].to_numpy(np.float64)
    upper = latency_check["measured_latency_upper_quartile_ms"].to_numpy(np.float64) - measured
    lower = measured - latency_check["measured_latency_lower_quartile_ms"].to_numpy(np.float64)
    both = np.concatenate([predicted, measured])
    ends = [float(both.min()) * 0.95, float(both.max()) * 1.05]
    figure = go.Figure(
        [
            go.Scatter(
                x=ends,
                y=ends,
                mode="lines",
                line={"color": GREY, "dash": "dot", "width": 1.5},
                name="equal",
                hoverinfo="skip",
            ),
            go.Scatter(
                x=predicted,
                y=measured,
                text=latency_check["architecture"],
                mode="markers",
                marker={"color": BLUE, "size": 8},
                error_y={"type": "data", "symmetric": False, "array": upper, "arrayminus": lower, "thickness": 1.2},
                name="median, quartiles",
                hovertemplate="%{text}<br>predicted %{x:.3f} ms, measured %{y:.3f} ms<extra></extra>",
            ),
        ]
    )
    return themed(
        figure,
        height=380,
        xaxis={"title": {"text": "predicted latency (ms)"}},
        yaxis={"title": {"text": "measured latency (ms)"}},
    )
