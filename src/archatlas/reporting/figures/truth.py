"""Scores beside the true accuracies of a public table: by value, by rank, at the very top, and by budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray
from plotly.subplots import make_subplots

from archatlas.reporting.figures.theme import CEILING, COLOURS, empty, themed
from archatlas.reporting.numbers import percent, tau
from archatlas.scorers.registry import all_scorers

Floats = NDArray[np.float64]

MOST_DRAWN = 1500
LEAST_BEHIND = 0.01
"""Points of accuracy below which a difference to the best is not told apart."""

_NONE = "This run was not compared with a table of true accuracies."
_WHERE = (
    ("kendall_tau", "all networks"),
    ("kendall_tau_top_half", "true top half"),
    ("kendall_tau_top_tenth", "true top 10%"),
)


def label_of(scorer: str) -> str:
    """What the page calls a scorer."""
    known = all_scorers()
    return known[scorer].label if scorer in known else scorer


def _colour(scorer: str) -> str:
    return COLOURS[all_scorers()[scorer].colour]


def ranks(values: ArrayLike) -> Floats:
    """Ranks ``[n]``, 1 for the highest; equal ones share the mean of their ranks."""
    from scipy.stats import rankdata

    return np.asarray(rankdata(-np.asarray(values, dtype=np.float64)), dtype=np.float64)


def evenly_by_truth(rows: pd.DataFrame, most: int) -> pd.DataFrame:
    """At most so many rows, at even distances of true rank: the least and the truest are among them."""
    ordered = rows.sort_values(["true_accuracy", "network"])
    places = np.unique(np.linspace(0, len(ordered) - 1, min(most, len(ordered))).round().astype(int))
    return ordered.iloc[places]


def figure_true_correlations(truth_correlations: pd.DataFrame, summary: Mapping[str, Any]) -> go.Figure:
    """Kendall's tau-b of each scorer over all networks, the true top half and the true top 10%; a dot per seed."""
    whole = _over_networks(truth_correlations)
    if whole.empty:
        return empty(_NONE)
    shown = {name: scorer for name, scorer in all_scorers().items() if name in set(whole["scorer"])}
    figure = make_subplots(
        cols=len(_WHERE), subplot_titles=[title for _, title in _WHERE], shared_yaxes=True, horizontal_spacing=0.04
    )
    ceilings = summary.get("ceilings") or {}
    lowest = min(0.0, float(whole[[metric for metric, _ in _WHERE]].min().min()))
    for column, (metric, title) in enumerate(_WHERE, start=1):
        for name, scorer in reversed(shown.items()):
            own, label, colour = whole[whole["scorer"] == name], scorer.label, COLOURS[scorer.colour]
            value = float(own.loc[own["seed"] == "all", metric].iloc[0])
            single = own.loc[own["seed"] != "all", metric].to_numpy(np.float64)
            figure.add_trace(
                go.Bar(
                    x=[value],
                    y=[label],
                    orientation="h",
                    width=0.6,
                    marker={"color": colour},
                    showlegend=False,
                    name=label,
                    hovertemplate=f"{label}, {title}: {tau(value)}<extra></extra>",
                ),
                row=1,
                col=column,
            )
            if len(single) > 1:
                figure.add_trace(
                    go.Scatter(
                        x=single,
                        y=[label] * len(single),
                        mode="markers",
                        marker={"color": "#ffffff", "size": 7, "line": {"color": colour, "width": 2}},
                        showlegend=False,
                        name=f"{label}, one super-network",
                        hovertemplate=f"{label}, one super-network: %{{x:.3f}}<extra></extra>",
                    ),
                    row=1,
                    col=column,
                )
        ceiling = ceilings.get("one_training_rest" + {"kendall_tau_top_half": "_top_half"}.get(metric, ""))
        if ceiling is not None and metric != "kendall_tau_top_tenth":
            figure.add_vline(x=ceiling, line={"color": CEILING, "width": 2, "dash": "dash"}, row=1, col=column)
    figure.update_xaxes(range=[np.floor(lowest * 10) / 10, 1], title={"text": "Kendall tau-b"})
    figure.update_yaxes(ticks="")
    figure.update_annotations(font={"size": 13})
    return themed(figure, height=90 + 44 * len(shown), margin={"t": 40}, bargap=0.2)


def figure_predicted_against_true(truth_by_network: pd.DataFrame) -> go.Figure:
    """Each network's score and its true accuracy, a panel per scorer; of many networks ``MOST_DRAWN`` are drawn.

    The least accurate 1% are below the edge: a few that hardly learn would leave the others no room.
    """
    panels = _panels(truth_by_network)
    if not panels:
        return empty(_NONE)
    figure = _subplots(panels)
    for column, scorer in enumerate(panels, start=1):
        drawn = evenly_by_truth(truth_by_network.dropna(subset=[scorer]), MOST_DRAWN)
        figure.add_trace(
            go.Scatter(
                x=drawn[scorer].round(5),
                y=drawn["true_accuracy"].round(5),
                text=drawn["network"],
                mode="markers",
                marker={"color": _colour(scorer), "size": 4, "opacity": 0.5},
                showlegend=False,
                name=label_of(scorer),
                hovertemplate="%{text}<br>score %{x:.4f}, true %{y:.2%}<extra></extra>",
            ),
            row=1,
            col=column,
        )
    figure.update_xaxes(title={"text": "score"}, nticks=6)
    truth = truth_by_network["true_accuracy"].to_numpy(np.float64)
    low, high = float(np.quantile(truth, 0.01)), float(truth.max())
    margin = 0.03 * max(high - low, 1e-6)
    figure.update_yaxes(tickformat=".0%", range=[low - margin, high + margin])
    figure.update_yaxes(title={"text": "true accuracy"}, col=1)
    return themed(figure, height=380, margin={"t": 40})


def figure_rank_against_rank(truth_by_network: pd.DataFrame, bins: int = 48) -> go.Figure:
    """How many networks have that rank by the score and that true rank, a panel per scorer; the best at the top right.

    Colour is the count in each bin: in a perfect order, all lie on the diagonal.
    """
    panels = _panels(truth_by_network)
    if not panels:
        return empty(_NONE)
    figure = _subplots(panels)
    for column, scorer in enumerate(panels, start=1):
        rows = truth_by_network.dropna(subset=[scorer])
        edges = np.linspace(0.5, len(rows) + 0.5, min(bins, len(rows)) + 1)
        truth, score = ranks(rows["true_accuracy"]), ranks(rows[scorer])
        counts, _, _ = np.histogram2d(truth, score, bins=[edges, edges])
        middles = ((edges[:-1] + edges[1:]) / 2).round(1)
        figure.add_trace(
            go.Heatmap(
                x=middles,
                y=middles,
                z=np.where(counts > 0, counts, np.nan).tolist(),
                coloraxis="coloraxis",
                name=label_of(scorer),
                hovertemplate="rank by score about %{x:.0f}, true rank about %{y:.0f}: %{z} networks<extra></extra>",
            ),
            row=1,
            col=column,
        )
    figure.update_xaxes(autorange="reversed", title={"text": "rank by score"}, nticks=5)
    figure.update_yaxes(autorange="reversed", nticks=5)
    figure.update_yaxes(title={"text": "true rank"}, col=1)
    scale = {"title": {"text": "networks"}, "thickness": 12, "outlinewidth": 0}
    return themed(figure, height=380, margin={"t": 40}, coloraxis={"colorbar": scale})


def figure_top_under_lens(truth_by_network: pd.DataFrame, share: float = 0.01) -> go.Figure:
    """Networks in the top ``share`` by truth or by score, rank against rank on logarithmic axes, a panel per scorer.

    The shaded square holds those that are in both. To its left lie good ones that the score overlooks, and below it
    those that it overrates.
    """
    panels = _panels(truth_by_network)
    if not panels:
        return empty(_NONE)
    figure = _subplots(panels)
    for column, scorer in enumerate(panels, start=1):
        rows = truth_by_network.dropna(subset=[scorer])
        top = max(1, round(share * len(rows)))
        truth, score = ranks(rows["true_accuracy"]), ranks(rows[scorer])
        near = (truth <= top) | (score <= top)
        both = int(((truth <= top) & (score <= top)).sum())
        figure.add_shape(
            {"type": "rect", "x0": 0.8, "y0": 0.8, "x1": top + 0.5, "y1": top + 0.5, "line": {"width": 0}},
            fillcolor=CEILING,
            opacity=0.15,
            layer="below",
            row=1,
            col=column,
        )
        figure.add_trace(
            go.Scatter(
                x=score[near],
                y=truth[near],
                text=rows.loc[near, "network"]
                + "<br>true accuracy "
                + rows.loc[near, "true_accuracy"].map(lambda value: percent(value, 2)),
                mode="markers",
                marker={"color": _colour(scorer), "size": 8, "opacity": 0.8, "line": {"color": "#ffffff", "width": 1}},
                showlegend=False,
                name=label_of(scorer),
                hovertemplate="%{text}<br>rank by score %{x:.0f}, true rank %{y:.0f}<extra></extra>",
            ),
            row=1,
            col=column,
        )
        figure.layout.annotations[column - 1].text = f"{label_of(scorer)}: {both} of {top} in both"
    for axis in (figure.update_xaxes, figure.update_yaxes):
        axis(type="log", range=[np.log10(1.2 * len(truth_by_network)), np.log10(0.8)], dtick=1)
    figure.update_xaxes(title={"text": "rank by score"})
    figure.update_yaxes(title={"text": "true rank"}, col=1)
    return themed(figure, height=400, margin={"t": 40})


def figure_true_picks(truth_picks: pd.DataFrame, best: int) -> go.Figure:
    """How far the best by each scorer lie behind the truly best, under every budget of MACs; the last is no budget.

    Points of mean true accuracy of the ``best`` networks, on a logarithmic axis: budgets differ by far. What is within
    ``LEAST_BEHIND`` points is drawn there.
    """
    bounded = truth_picks[truth_picks["seed"] == "all"] if len(truth_picks) else truth_picks
    if bounded.empty:
        return empty(_NONE)
    figure = go.Figure()
    for name, scorer in all_scorers().items():
        own, label = bounded[bounded["scorer"] == name].sort_values("limit"), scorer.label
        if own.empty:
            continue
        behind = 100 * (own["top_optimum"] - own["top_accuracy"])
        figure.add_trace(
            go.Scatter(
                x=own["limit"],
                y=behind.clip(lower=LEAST_BEHIND),
                customdata=np.stack([own["top_accuracy"], behind], axis=1),
                mode="lines+markers",
                line={"color": COLOURS[scorer.colour], "dash": scorer.dash},
                name=label,
                hovertemplate=f"{label}: %{{customdata[0]:.2%}}, %{{customdata[1]:.2f}} points behind, at most "
                "%{x:.3s} MACs<extra></extra>",
            )
        )
    return themed(
        figure,
        height=420,
        xaxis={"title": {"text": "most MACs"}},
        yaxis={"title": {"text": f"points behind the truly best {best}"}, "type": "log", "autorange": "reversed"},
        legend={"orientation": "v", "x": 1.02, "xanchor": "left", "y": 1, "yanchor": "top"},
    )


def _over_networks(truth_correlations: pd.DataFrame) -> pd.DataFrame:
    if truth_correlations.empty:
        return truth_correlations
    return truth_correlations[truth_correlations["over"] == "networks"]


def _panels(truth_by_network: pd.DataFrame) -> list[str]:
    if truth_by_network.empty:
        return []
    return [name for name, scorer in all_scorers().items() if scorer.drawn and name in truth_by_network]


def _subplots(panels: Sequence[str]) -> go.Figure:
    figure = make_subplots(cols=len(panels), subplot_titles=[label_of(one) for one in panels], horizontal_spacing=0.07)
    figure.update_annotations(font={"size": 13})
    return figure
