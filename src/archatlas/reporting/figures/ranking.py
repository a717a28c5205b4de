"""How true the scores are: rank correlations, predicted against measured, and the spread of the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from archatlas.reporting.figures.theme import (
    CEILING,
    COLOURS,
    GREY,
    PREDICTOR,
    SHARE,
    SUPERNET,
    WINNER,
    empty,
    themed,
)
from archatlas.reporting.numbers import interval, known, tau
from archatlas.reporting.run import winners_table
from archatlas.scorers.registry import audited_scorers
from archatlas.signals.audit import reference
from archatlas.systems.at_initialisation import WITHOUT_TRAINING
from archatlas.verification.united import methods_of

ALONE = "validation accuracy, trained alone"
MOST_DRAWN = 1000


def figure_rank_correlation(audit_summary: Mapping[str, Any]) -> go.Figure:
    """Kendall tau-b of each scorer with what the audit found, with its interval, and the seed-to-seed ceiling."""
    if not audit_summary.get("count"):
        return empty("No audit: no networks were drawn and trained alone.")
    figure = go.Figure()
    for key, scorer in reversed(audited_scorers().items()):
        label = scorer.label
        value = known(audit_summary.get(f"tau_{key}"))
        bounds = audit_summary.get(f"tau_{key}_ci")
        if value is None:
            continue
        error = None
        if bounds is not None:
            error = {
                "type": "data",
                "symmetric": False,
                "array": [bounds[1] - value],
                "arrayminus": [value - bounds[0]],
                "thickness": 1.5,
            }
        figure.add_trace(
            go.Bar(
                x=[value],
                y=[label],
                orientation="h",
                marker={"color": COLOURS[scorer.colour]},
                error_x=error,
                name=label,
                showlegend=False,
                width=0.55,
                hovertemplate=f"{label}: {tau(value)} ({interval(bounds)})<extra></extra>",
            )
        )
    ceiling = known(audit_summary.get("tau_ceiling"))
    if ceiling is not None:
        figure.add_vline(x=ceiling, line={"color": CEILING, "width": 2, "dash": "dash"})
        figure.add_annotation(
            x=ceiling,
            y=1,
            yref="paper",
            yanchor="bottom",
            text=f"ceiling {tau(ceiling)}",
            font={"color": CEILING},
            showarrow=False,
        )
    figure.add_vline(x=0, line={"width": 1})
    return themed(
        figure,
        height=max(280, 90 + 30 * len(figure.data)),
        xaxis={
            "title": {"text": f"Kendall tau-b with {reference(audit_summary)}"},
            "range": [_lowest(audit_summary), 1],
        },
        yaxis={"ticks": ""},
    )


def _lowest(audit_summary: Mapping[str, Any]) -> float:
    """Where the axis starts: at 0, or below if a bar or an interval is."""
    values = [audit_summary.get(f"tau_{key}") for key in audited_scorers()]
    values += [(audit_summary.get(f"tau_{key}_ci") or [None])[0] for key in audited_scorers()]
    lowest = min([number for number in map(known, values) if number is not None], default=0.0)
    return min(0.0, float(np.floor(lowest * 10) / 10))


def figure_predicted_against_measured(
    audit: pd.DataFrame,
    verified_candidates: pd.DataFrame,
    winners: Sequence[Mapping[str, Any]],
    *,
    target: str = "accuracy",
    titles: tuple[str, str] = (ALONE, ALONE),
) -> go.Figure:
    """Scores against the accuracy of the same networks trained alone: audit by its scorers, then the candidates.

    Of a larger audit its first ``MOST_DRAWN`` networks are drawn, which are a sample of it. ``titles`` name the
    accuracies of the audit and of the candidates.
    """
    panels: list[tuple[str, pd.Series, pd.Series, pd.Series, str]] = []
    if len(audit):
        drawn = audit.head(MOST_DRAWN)
        for scorer in reversed(audited_scorers().values()):
            if scorer.drawn and scorer.audit_column in drawn:
                scores, colour = drawn[scorer.audit_column], COLOURS[scorer.colour]
                panels.append((f"audit: {scorer.label}", scores, alone(drawn), drawn["network"], colour))
    trained = verified_candidates
    if len(trained):
        trained = trained[trained["validation_accuracy_mean"].notna()]
        if "method" in trained:  # Scores at initialisation are on another scale.
            trained = trained[[methods_of(str(one))[0] not in WITHOUT_TRAINING for one in trained["method"]]]
    if len(trained):
        panels.append(
            (
                "candidates: predictor",
                trained["predicted_score"],
                trained["validation_accuracy_mean"],
                trained["network"],
                GREY,
            )
        )
    if not panels:
        return empty("No network was trained alone.")
    figure = make_subplots(cols=len(panels), subplot_titles=[title for title, *_ in panels], horizontal_spacing=0.09)
    for column, (title, scores, truth, names, colour) in enumerate(panels, start=1):
        figure.add_trace(
            go.Scatter(
                x=scores,
                y=truth,
                text=names,
                mode="markers",
                marker={"color": colour, "size": 8, "opacity": 0.75},
                name=title,
                showlegend=False,
                hovertemplate="%{text}<br>score %{x:.4f}, alone %{y:.4f}<extra></extra>",
            ),
            row=1,
            col=column,
        )
    if len(trained):
        figure.add_trace(_winners_trace(trained, winners), row=1, col=len(panels))
    form = ".2~%" if target == "accuracy" else None
    figure.update_xaxes(tickformat=form, title={"text": "score"}, nticks=6, **(SHARE if form else {}))
    figure.update_yaxes(tickformat=".1%", nticks=7, **SHARE)
    figure.update_yaxes(title={"text": titles[0] if len(audit) else titles[1]}, col=1)
    if titles[0] != titles[1] and len(audit):
        figure.update_yaxes(title={"text": titles[1]}, col=len(panels))
    figure.update_annotations(font={"size": 13})
    below = {"x": 1, "xanchor": "right", "y": -0.2, "yanchor": "top"}
    return themed(figure, height=390, margin={"t": 40, "b": 84}, legend=below)


def alone(audit: pd.DataFrame) -> pd.Series:
    """Accuracies ``[n]`` of the audit networks trained alone; the truth may be a log loss instead."""
    return audit["validation_accuracy_mean" if "validation_accuracy_mean" in audit else "truth"]


def _winners_trace(trained: pd.DataFrame, winners: Sequence[Mapping[str, Any]]) -> go.Scatter:
    chosen = winners_table(winners, trained)[["budget", "network"]].merge(trained, on=["budget", "network"])
    return go.Scatter(
        x=chosen["predicted_score"],
        y=chosen["validation_accuracy_mean"],
        text=chosen["budget"] + ": " + chosen["network"],
        mode="markers",
        marker={"color": WINNER, "size": 13, "symbol": "star", "line": {"color": "#ffffff", "width": 1}},
        name="winners",
        showlegend=len(chosen) > 0,
        hovertemplate="%{text}<br>score %{x:.4f}, alone %{y:.4f}<extra>winner</extra>",
    )


def figure_accuracy_histogram(audit: pd.DataFrame, title: str = ALONE) -> go.Figure:
    """Histogram of the audit networks' accuracies, called ``title``; 10th and 90th percentile marked."""
    if audit.empty:
        return empty("No audit: no networks were drawn and trained alone.")
    truth = alone(audit).to_numpy(np.float64)
    counts, edges = np.histogram(truth, bins=min(24, max(6, len(truth) // 3)))
    figure = go.Figure(
        go.Bar(
            x=(edges[:-1] + edges[1:]) / 2,
            y=counts,
            width=np.diff(edges),
            marker={"color": PREDICTOR, "line": {"color": "rgba(255,255,255,0.6)", "width": 1}},
            customdata=np.stack([edges[:-1], edges[1:]], axis=1),
            name="networks",
            hovertemplate="%{y} networks of %{customdata[0]:.1%} to %{customdata[1]:.1%}<extra></extra>",
        )
    )
    for percentile, side in ((10, "right"), (90, "left")):
        at = float(np.percentile(truth, percentile))
        figure.add_vline(x=at, line={"color": SUPERNET, "dash": "dash", "width": 1.5})
        figure.add_annotation(
            x=at, y=1.0, yref="paper", yanchor="bottom", xanchor=side, text=f"{percentile}th: {at:.1%}", showarrow=False
        )
    return themed(
        figure,
        height=300,
        xaxis={"title": {"text": title}, "tickformat": ".0%", **SHARE},
        yaxis={"title": {"text": "networks"}},
        bargap=0,
    )
