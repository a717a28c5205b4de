"""What training and tuning looked like over time, and what each stage took."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from archatlas.reporting.figures.theme import BLUE, CYCLE, GREEN, SHARE, empty, themed
from archatlas.reporting.numbers import memory, seconds


def figure_learning_curves(supernet_curves: pd.DataFrame) -> go.Figure:
    """Loss and training accuracy of the super-network by epoch, a line per seed."""
    if supernet_curves.empty:
        return empty("No super-network was trained.")
    figure = make_subplots(cols=2, subplot_titles=["training loss", "training accuracy"], horizontal_spacing=0.1)
    for index, (seed, curve) in enumerate(supernet_curves.sort_values("epoch").groupby("seed", sort=True)):
        for column, quantity in enumerate(("loss", "accuracy"), start=1):
            figure.add_trace(
                go.Scatter(
                    x=curve["epoch"],
                    y=curve[quantity],
                    mode="lines+markers" if len(curve) < 20 else "lines",
                    line={"color": CYCLE[int(index) % len(CYCLE)], "width": 2},
                    name=f"seed {seed}",
                    legendgroup=f"seed {seed}",
                    showlegend=column == 1,
                ),
                row=1,
                col=column,
            )
    figure.update_xaxes(title={"text": "epoch"})
    figure.update_yaxes(tickformat=".0%", col=2, **SHARE)
    figure.update_annotations(font={"size": 13})
    return themed(figure, height=340, hovermode="x unified", margin={"t": 72}, legend={"y": 1.1})


def figure_tuning(tuning_trials: pd.DataFrame) -> go.Figure:
    """Value of every finished trial, coloured by predictor family, and the best value so far."""
    if tuning_trials.empty:
        return empty("The predictor was not tuned.")
    done = tuning_trials[tuning_trials["value"].notna()].sort_values("trial")
    if done.empty:
        return empty("No trial of the study was finished.")
    figure = go.Figure()
    for index, (family, trials) in enumerate(done.groupby("family", sort=True)):
        figure.add_trace(
            go.Scatter(
                x=trials["trial"],
                y=trials["value"],
                text=trials["settings"],
                mode="markers",
                marker={"size": 9, "color": CYCLE[index % len(CYCLE)], "opacity": 0.85},
                name=str(family),
                hovertemplate=f"{family}, trial " + "%{x}: %{y:.3f}<extra></extra>",
            )
        )
    figure.add_trace(
        go.Scatter(
            x=done["trial"],
            y=done["value"].cummax(),
            mode="lines",
            line={"color": GREEN, "width": 1.5, "shape": "hv", "dash": "dot"},
            name="best so far",
            hoverinfo="skip",
        )
    )
    return themed(
        figure,
        height=340,
        xaxis={"title": {"text": "trial"}},
        yaxis={"title": {"text": "tau on unseen networks (inner)"}},
    )


def figure_stage_times(stage_table: pd.DataFrame) -> go.Figure:
    """Seconds of each stage as bars, the first stage on top.

    ``stage_table`` has the columns stage, seconds and peak_memory_mib, a row per stage in the order of the run.
    """
    if stage_table.empty:
        return empty("No times were recorded.")
    labels = [f"{seconds(row.seconds)}, {memory(row.peak_memory_mib)}" for row in stage_table.itertuples(index=False)]
    figure = go.Figure(
        go.Bar(
            x=stage_table["seconds"],
            y=stage_table["stage"],
            orientation="h",
            marker={"color": BLUE},
            text=labels,
            textposition="outside",
            cliponaxis=False,
            width=0.6,
            hovertemplate="%{y}: %{text}<extra></extra>",
        )
    )
    longest = float(np.nanmax(stage_table["seconds"].to_numpy(np.float64)))
    return themed(
        figure,
        height=90 + 30 * len(stage_table),
        xaxis={"title": {"text": "seconds"}, "range": [0, max(longest, 0.1) * 1.28]},
        yaxis={"autorange": "reversed", "ticks": ""},
        margin={"t": 12},
    )
