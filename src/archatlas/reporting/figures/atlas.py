"""The atlas as a density: how many networks lie at each cost and predicted score, and the Pareto front over it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from archatlas.reporting.figures.theme import GREEN, WINNER, empty, themed
from archatlas.reporting.numbers import COST_TITLES
from archatlas.reporting.run import atlas_scores, score_column, winners_table

if TYPE_CHECKING:
    from archatlas.storage.table_file import AnyTable

Edges = NDArray[np.float64]

LOGARITHMIC_FROM = 50.0
"""An axis is logarithmic if its largest cost is this many times the least."""
_PART = 2**20
"""Networks counted at a time."""
_OFFSET = 0.35
_LEAST_WIDTH = 0.005
"""Half a point of an accuracy, half a percent of a cost: an axis of values that are closer together is as wide."""


def density(
    costs: NDArray[np.float64],
    scores: NDArray[np.float64],
    bins: int,
    possible: tuple[float, float] = (-np.inf, np.inf),
) -> tuple[Edges, Edges, NDArray[np.int64]]:
    """Count networks in ``bins`` x ``bins`` cells.

    Args:
        costs: ``[n]``; a wide range is cut in equal ratios, a narrow one in equal steps
        scores: ``[n]``
        bins: cells along each axis
        possible: least and largest score that can be; where all scores are almost the same, no edge lies beyond

    Returns:
        edges of the costs ``[bins + 1]``, edges of the scores ``[bins + 1]``, counts ``[bins (score), bins (cost)]``
    """
    if is_wide(costs):
        cost_edges = np.geomspace(costs.min(), costs.max(), bins + 1)
    else:
        cost_edges = np.linspace(*_window(costs, _LEAST_WIDTH * float(costs.max()), (0.0, np.inf)), bins + 1)
    # Rounding of the outermost edges must not lose the extreme networks.
    cost_edges[0], cost_edges[-1] = min(cost_edges[0], costs.min()), max(cost_edges[-1], costs.max())
    score_edges = np.linspace(*_window(scores, _LEAST_WIDTH, possible), bins + 1)
    counts = np.zeros((bins, bins))
    for start in range(0, len(costs), _PART):  # It takes some ten times the memory of what it counts.
        part = slice(start, start + _PART)
        counts += np.histogram2d(costs[part], scores[part], bins=(cost_edges, score_edges))[0]
    return cost_edges, score_edges, counts.T.astype(np.int64)


def _window(values: NDArray[np.float64], least: float, possible: tuple[float, float]) -> tuple[float, float]:
    """From the least value to the largest; ``least`` wide around values that are closer together, if that can be."""
    low, high = float(values.min()), float(values.max())
    if high - low >= least:
        return low, high
    middle = (low + high) / 2
    return min(low, max(middle - least / 2, possible[0])), max(high, min(middle + least / 2, possible[1]))


def is_wide(costs: NDArray[np.float64]) -> bool:
    """Whether an axis of these costs is better logarithmic."""
    return bool(len(costs) and costs.min() > 0 and costs.max() / costs.min() >= LOGARITHMIC_FROM)


def figure_atlas(
    atlas: AnyTable,
    pareto_front: pd.DataFrame,
    winners: Sequence[Mapping[str, Any]],
    verified_candidates: pd.DataFrame,
    *,
    cost: str = "macs",
    bins: int = 72,
    cost_title: str | None = None,
) -> go.Figure:
    """Density of all networks over ``cost`` and predicted score, with the Pareto front and the winners.

    ``cost`` is a cost column of the atlas, called ``cost_title`` where its usual name would be wrong. Only counts enter
    the figure, so its size does not grow with the atlas.
    """
    if atlas.empty:
        return empty("There is no atlas.")
    column = atlas[cost]
    here = column.notna()
    costs = column[here].to_numpy(np.float64)
    scores = atlas_scores(atlas)[here.to_numpy()]
    if not len(costs):
        return empty("The atlas is empty.")
    scored = score_column(atlas)
    percent = scored.endswith("accuracy")
    cost_edges, score_edges, counts = density(costs, scores, bins, (0.0, 1.0) if percent else (-np.inf, 0.0))
    figure = go.Figure(_density_trace(cost_edges, score_edges, counts))
    figure.add_trace(_front_trace(pareto_front, cost))
    for trace in _winner_traces(winners_table(winners, verified_candidates), cost):
        figure.add_trace(trace)
    unit = f" ({'super-network ' * ('supernet' in scored)}accuracy)" if percent else " (minus log loss)"
    return themed(
        figure,
        height=430,
        xaxis={
            "title": {"text": cost_title or COST_TITLES[cost]},
            "type": "log" if is_wide(costs) else "linear",
            "showgrid": False,
        },
        yaxis={
            "title": {"text": "predicted score" + unit},
            "tickformat": ".2~%" if percent else None,
            "showgrid": False,
        },
    )


def _density_trace(cost_edges: Edges, score_edges: Edges, counts: NDArray[np.int64]) -> go.Heatmap:
    most = int(counts.max())
    ticks = [10**power for power in range(len(str(most)))]
    # Log counts: otherwise the few good networks, which matter, would be invisible beside the many middling ones.
    # The offset keeps a single network visible, and all values positive, so that the sequential scale is taken.
    shown = np.log10(np.where(counts > 0, counts, np.nan).astype(np.float64)) + _OFFSET
    return go.Heatmap(
        x=cost_edges,
        y=score_edges,
        z=[[None if np.isnan(value) else round(float(value), 3) for value in row] for row in shown],
        customdata=counts.tolist(),
        autocolorscale=True,
        zmin=0,
        zmax=_OFFSET + max(float(np.log10(most)), 1.0),
        hoverongaps=False,
        hovertemplate="%{customdata:,} networks<extra></extra>",
        name="networks",
        colorbar={
            "title": {"text": "networks"},
            "tickvals": np.log10(ticks) + _OFFSET,
            "ticktext": [f"{t:,}" for t in ticks],
        },
    )


def _front_trace(pareto_front: pd.DataFrame, cost: str) -> go.Scatter:
    kind = "latency_ms" if "latency" in cost else cost
    front = pareto_front[pareto_front["cost"] == kind]
    front = front[front[cost].notna()].sort_values([cost, "predicted_score"])
    return go.Scatter(
        x=front[cost],
        y=front["predicted_score"],
        text=front["network"],
        mode="lines+markers",
        # From one network of the front to the next, nothing better is to be had: steps, not slopes.
        line={"color": GREEN, "width": 2, "shape": "hv"},
        marker={"size": 5},
        name="Pareto front",
        hovertemplate="%{text}<br>%{x:,}, %{y:.4f}<extra>Pareto front</extra>",
    )


def _winner_traces(winners: pd.DataFrame, cost: str) -> list[go.Scatter]:
    symbols = ("star", "diamond", "square", "triangle-up", "cross", "hexagon")
    return [
        go.Scatter(
            x=[winner[cost]],
            y=[winner["predicted_score"]],
            text=[winner["network"]],
            mode="markers",
            marker={
                "symbol": symbols[index % len(symbols)],
                "size": 14,
                "color": WINNER,
                "line": {"color": "#ffffff", "width": 1.5},
            },
            name=f"winner: {winner['budget']}",
            hovertemplate="%{text}<br>%{x:,}, %{y:.4f}<extra>" + f"winner: {winner['budget']}</extra>",
        )
        for index, winner in enumerate(winners.to_dict("records"))
    ]
