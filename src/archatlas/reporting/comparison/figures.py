"""Experiments over each other: what was predicted, and what the winners reached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from archatlas.reporting import numbers
from archatlas.reporting.cards import reached
from archatlas.reporting.comparison.experiments import Experiment
from archatlas.reporting.figures.atlas import is_wide
from archatlas.reporting.figures.theme import CYCLE, SHARE, empty, themed

_SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross", "star")
_DASHES = ("solid", "dash", "dot")


def front_column(cost: str) -> str:
    """The fronts' column of a cost: a front's latency is predicted."""
    return "predicted_latency_ms" if cost == "latency_ms" else cost


def figure_fronts(experiments: Sequence[Experiment], cost: str) -> go.Figure:
    """Pareto fronts over ``cost`` (``macs``, ``params``, ``latency_ms``), a step line per experiment."""
    column = front_column(cost)
    figure = go.Figure()
    wide = False
    for index, experiment in enumerate(experiments):
        front = experiment.pareto_front[experiment.pareto_front["cost"] == cost]
        front = front[front[column].notna()].sort_values([column, "predicted_score"])
        if front.empty:
            continue
        wide = wide or is_wide(front[column].to_numpy(float))
        figure.add_trace(
            go.Scatter(
                x=front[column],
                y=front["predicted_score"],
                text=front["network"],
                mode="lines+markers",
                line={"color": _colour(index), "width": 2, "shape": "hv", "dash": _DASHES[index // len(CYCLE) % 3]},
                marker={"size": 6, "symbol": _SYMBOLS[index % len(_SYMBOLS)]},
                name=experiment.name,
                hovertemplate="%{text}<br>%{x:,}, %{y:.4f}<extra>" + experiment.name + "</extra>",
            )
        )
    if not figure.data:
        return empty("None of them has a front over this cost.")
    percent = all(experiment.target == "accuracy" for experiment in experiments)
    return themed(
        figure,
        height=400,
        showlegend=True,
        xaxis={"title": {"text": numbers.COST_TITLES[column]}, "type": "log" if wide else "linear"},
        yaxis={"title": {"text": "predicted score"}, **({"tickformat": ".2~%", **SHARE} if percent else {})},
    )


def figure_winners(experiments: Sequence[Experiment], cost: str) -> go.Figure:
    """Test accuracy of every winner over its ``cost``, with what its test images or training seeds leave open."""
    figure = go.Figure()
    for index, experiment in enumerate(experiments):
        tested = [
            winner
            for winner in experiment.winners
            if reached(winner) is not None and not numbers.is_missing(winner.get(cost))
        ]
        if not tested:
            continue
        tested.sort(key=lambda winner: float(winner[cost]))
        below, above = zip(*(_open(winner) for winner in tested), strict=True)
        figure.add_trace(
            go.Scatter(
                x=[winner[cost] for winner in tested],
                y=[reached(winner) for winner in tested],
                error_y={"type": "data", "array": above, "arrayminus": below, "thickness": 1.2},
                text=[winner["budget"] for winner in tested],
                mode="markers",
                marker={"size": 10, "color": _colour(index), "symbol": _SYMBOLS[index % len(_SYMBOLS)]},
                name=experiment.name,
                hovertemplate="budget %{text}<br>%{x:,}, %{y:.2%}<extra>" + experiment.name + "</extra>",
            )
        )
    if not figure.data:
        return empty("None of them has a winner with this cost.")
    return themed(
        figure,
        height=400,
        showlegend=True,
        xaxis={"title": {"text": numbers.COST_TITLES[cost]}},
        yaxis={"title": {"text": "test accuracy"}, "tickformat": ".1%", **SHARE},
    )


def _open(winner: Mapping[str, Any]) -> tuple[float, float]:
    """How far below and above its accuracy a winner may be: by the interval of the exported file, or one deviation."""
    accuracy, bounds = numbers.known(winner.get("exported_accuracy")), winner.get("exported_accuracy_ci")
    if accuracy is not None:
        return (accuracy - bounds[0], bounds[1] - accuracy) if bounds else (0.0, 0.0)
    deviation = numbers.known(winner.get("test_accuracy_std")) or 0.0
    return deviation, deviation


def _colour(index: int) -> str:
    return CYCLE[index % len(CYCLE)]
