"""Figures of the page on predictors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from archatlas.reporting.figures.theme import CEILING, CYCLE, GREY, RED, empty, themed
from archatlas.reporting.numbers import is_missing
from archatlas.reporting.predictor_benchmark.records import (
    GOALS,
    KNOWN,
    PUBLISHED,
    QUERIES,
    QUERY_GOALS,
    Record,
    of_set,
)
from archatlas.reporting.predictor_benchmark.tables import evaluations_needed, tau
from archatlas.reporting.predictor_benchmark.view import Comparison

_COLOURS = tuple(colour for colour in CYCLE if colour != GREY)
_SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross", "star", "hexagon")
_RECORD_SYMBOLS = ("circle-open", "diamond-open", "square-open", "triangle-up-open", "x-open")
_LOWEST = 0.4
_CEILINGS = {
    "one_training_another": "one training against another",
    "one_training_rest": "one training against the mean of the others",
    "twins": "a network against a twin",
    "twins_mean": "a network against the mean of its twins",
    "labels": "the learned accuracy itself",
    "labels_by_network": "the learned accuracy, twins averaged",
}


def ceiling_words(ceilings: Mapping[str, float]) -> str:
    """What the shaded band is made of: ``a network against a twin .941, ...``."""
    return ", ".join(f"{_CEILINGS.get(name, name)} {tau(value)}" for name, value in ceilings.items())


def figure_taus(comparison: Comparison) -> go.Figure:
    """Kendall's tau-b over the number of labels: a line per predictor, published records, the ceilings as a band."""
    figure = go.Figure()
    shown: list[float] = []
    for name in comparison.predictors:
        rows = comparison.summary[comparison.summary["predictor"] == name].sort_values("labels")
        rows = rows[rows["kendall_tau"].notna()]
        if len(rows):
            shown += rows["kendall_tau"].tolist()
            figure.add_trace(_predictor_line(comparison, name, rows))
    if not shown:
        return empty("No predictor was fitted.")
    for index, record in enumerate(of_set(PUBLISHED, comparison.space, comparison.learned)):
        shown += list(record.taus.values())
        figure.add_trace(_record_line(record, _RECORD_SYMBOLS[index % len(_RECORD_SYMBOLS)], "dot", GREY))
    for records, dash, colour in ((KNOWN, "dash", GREY), (GOALS, "dashdot", RED)):
        for record in of_set(records, comparison.space, comparison.learned):
            figure.add_trace(_record_line(record, "line-ew-open", dash, colour))
            shown += list(record.taus.values())
    bounds = list(comparison.ceilings.values())
    if bounds:
        shown += bounds
        low, high = min(bounds), max(bounds)
        middle, reach = (low + high) / 2, max((high - low) / 2, 0.001)
        figure.add_hrect(y0=middle - reach, y1=middle + reach, fillcolor=CEILING, opacity=0.22, line_width=0)
        figure.add_annotation(
            x=0, xref="paper", xanchor="left", y=high, yanchor="bottom", text="ceiling", showarrow=False,
            font={"color": CEILING, "size": 12},
        )  # fmt: skip
    counts = sorted({int(count) for trace in figure.data for count in trace.x})
    return themed(
        figure,
        height=460,
        showlegend=True,
        xaxis={
            "title": {"text": f"labels ({comparison.learned} accuracy)"},
            "type": "log",
            "tickvals": counts,
            "ticktext": [f"{count:,}" for count in counts],
        },
        yaxis={
            "title": {"text": f"Kendall tau-b with {comparison.judged} accuracy"},
            "range": [max(min(shown), _LOWEST) - 0.02, max(shown) + 0.02],
            "tickformat": ".2f",
        },
        legend={"orientation": "v", "x": 1.01, "xanchor": "left", "y": 1, "yanchor": "top"},
        margin={"r": 180},
    )


def _predictor_line(comparison: Comparison, name: str, rows: pd.DataFrame) -> go.Scatter:
    knows = comparison.knows(name)
    title = comparison.title(name) + (f" ({knows})" if knows else "")
    return go.Scatter(
        x=rows["labels"],
        y=rows["kendall_tau"],
        error_y={"type": "data", "array": rows["kendall_tau_se"].fillna(0), "thickness": 1.2, "width": 3},
        mode="lines+markers",
        name=title,
        line={"color": _colour(comparison, name), "width": 2, "dash": "dash" if knows else "solid"},
        marker={"size": 7, "symbol": _symbol(comparison, name)},
        hovertemplate="%{x:,} labels: %{y:.3f}<extra>" + title + "</extra>",
    )


def _colour(comparison: Comparison, name: str) -> str:
    """A predictor has one colour on the whole page."""
    return _COLOURS[comparison.number(name) % len(_COLOURS)]


def _symbol(comparison: Comparison, name: str) -> str:
    return _SYMBOLS[comparison.number(name) % len(_SYMBOLS)]


def _record_line(record: Record, symbol: str, dash: str, colour: str) -> go.Scatter:
    return go.Scatter(
        x=list(record.taus),
        y=list(record.taus.values()),
        mode="lines+markers",
        name=record.title,
        line={"color": colour, "width": 1.3, "dash": dash},
        marker={"size": 8, "symbol": symbol},
        hovertemplate="%{x:,} labels: %{y:.3f}<extra>" + f"{record.title}: {record.source}" + "</extra>",
    )


def figure_coverage(comparison: Comparison) -> go.Figure:
    """Share of unseen networks inside 80% and 95% intervals, over the number of labels."""
    figure = go.Figure()
    for name in comparison.predictors:
        rows = comparison.summary[comparison.summary["predictor"] == name].sort_values("labels")
        rows = rows[rows["coverage_95"].notna()]
        for column, dash in (("coverage_95", "solid"), ("coverage_80", "dot")):
            if len(rows):
                figure.add_trace(
                    go.Scatter(
                        x=rows["labels"],
                        y=rows[column],
                        mode="lines+markers",
                        name=comparison.title(name),
                        legendgroup=name,
                        showlegend=column == "coverage_95",
                        line={"color": _colour(comparison, name), "width": 1.6, "dash": dash},
                        marker={"size": 6, "symbol": _symbol(comparison, name)},
                        hovertemplate=f"{column[-2:]}%: %{{y:.1%}}<extra>{comparison.title(name)}</extra>",
                    )
                )
    if not figure.data:
        return empty("No predictor was fitted.")
    for wanted in (0.8, 0.95):
        figure.add_hrect(y0=wanted - 0.05, y1=min(wanted + 0.05, 1), fillcolor=GREY, opacity=0.14, line_width=0)
        figure.add_hline(y=wanted, line={"color": GREY, "width": 1, "dash": "dot"})
    counts = comparison.labels
    return themed(
        figure,
        height=380,
        xaxis={"type": "log", "tickvals": counts, "ticktext": [f"{count:,}" for count in counts],
               "title": {"text": "labels"}},
        yaxis={"title": {"text": "inside the interval"}, "tickformat": ".0%", "range": [None, 1.01]},
        legend={"orientation": "v", "x": 1.01, "xanchor": "left", "y": 1, "yanchor": "top"},
        margin={"r": 180},
    )  # fmt: skip


def figure_found(runs: pd.DataFrame, titles: Mapping[str, str], space: str) -> go.Figure:
    """Share of runs that have evaluated the best of the space, over the number of evaluations; records as lines."""
    if runs.empty:
        return empty("No acquisition loop was run.")
    figure = go.Figure()
    for index, (name, part) in enumerate(runs.groupby("loop", sort=False)):
        needed = np.sort(evaluations_needed(part))
        found = needed[np.isfinite(needed)]
        end = float(part["evaluations"].max())
        title = titles.get(str(name)) or str(name)
        figure.add_trace(
            go.Scatter(
                x=[0.0, *found.tolist(), max(end, *found.tolist(), 1.0)],
                y=[0.0, *(np.arange(1, len(found) + 1) / len(part)).tolist(), len(found) / len(part)],
                mode="lines",
                name=title,
                line={"color": _COLOURS[index % len(_COLOURS)], "width": 2, "shape": "hv"},
                hovertemplate="%{x:.0f} evaluations: %{y:.0%}<extra>" + title + "</extra>",
            )
        )
    marks = [(query.title, float(query.evaluations), GREY, "dot") for query in QUERIES.get(space, ())]
    marks += [("to reach", float(QUERY_GOALS[space]), RED, "dashdot")] if space in QUERY_GOALS else []
    _mark(figure, marks)
    figure.add_hline(y=0.5, line={"color": GREY, "width": 1})
    return themed(
        figure,
        height=400,
        showlegend=True,
        xaxis={"title": {"text": "true evaluations, the first labels among them"}, "rangemode": "tozero"},
        yaxis={"title": {"text": "runs that have found the best"}, "tickformat": ".0%", "range": [0, 1.02]},
        legend={"orientation": "v", "x": 1.01, "xanchor": "left", "y": 1, "yanchor": "top"},
        margin={"r": 180},
    )


def _mark(figure: go.Figure, marks: Sequence[tuple[str, float, str, str]]) -> None:
    for title, at, colour, dash in marks:
        if is_missing(at):
            continue
        figure.add_vline(x=at, line={"color": colour, "width": 1.5, "dash": dash})
        figure.add_annotation(
            x=at, y=1, yref="paper", yanchor="bottom", text=f"{title} {at:g}", showarrow=False, font={"color": colour}
        )
