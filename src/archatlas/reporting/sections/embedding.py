"""The section on NASGEM's embedding: where networks lie in it, and whether it follows the kernel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from archatlas.reporting.blocks import Chart, Section, Text
from archatlas.reporting.figures.theme import BLUE, GREY, themed
from archatlas.reporting.run import Run


def embedding_section(run: Run) -> Section | None:
    """A map of the networks that were scored, and cosines against the kernel; None without such a search."""
    embedded, pairs = run.embedding_of_nasgem, run.embedding_pairs_of_nasgem
    if embedded.empty:
        return None
    blocks: list[Any] = [
        Chart(
            "embedding",
            figure_embedding(embedded, pairs),
            "Networks at the first two principal components of their vectors, coloured by score, beside the cosines of "
            "vectors against the kernel of graphs",
            "The embedding, coloured by score (left), and distances in it against the kernel (right)",
        ),
        Text(said_of(embedded, pairs)),
    ]
    return Section(
        "embedding",
        "Search on an embedding of graphs",
        "NASGEM's encoder learned, from graphs alone, vectors whose cosines follow the Weisfeiler-Lehman kernel, and "
        "scores are foretold from them. Where neighbours in the map have like scores the embedding can tell something; "
        "it shows two of many dimensions.",
        blocks,
    )


def said_of(embedded: pd.DataFrame, pairs: pd.DataFrame) -> str:
    """How far cosines follow the kernel, in words."""
    scored = int(embedded["score"].notna().sum())
    alike = float(np.corrcoef(pairs["kernel"], pairs["cosine"])[0, 1]) if len(pairs) > 1 else float("nan")
    return (
        f"{scored:,} networks were scored, and {len(embedded) - scored:,} more are drawn in grey. Over {len(pairs):,} "
        f"pairs of these others, kernel and cosine have a correlation of {alike:.2f}."
    )


def figure_embedding(embedded: pd.DataFrame, pairs: pd.DataFrame) -> go.Figure:
    """Two panels: the map, and cosine over kernel."""
    figure = make_subplots(cols=2, column_widths=[0.6, 0.4], horizontal_spacing=0.14)
    others, scored = embedded[embedded["score"].isna()], embedded.dropna(subset="score").sort_values("score")
    figure.add_scatter(
        x=others["x"].round(3), y=others["y"].round(3), mode="markers", name="not scored", showlegend=False,
        marker={"size": 4, "color": GREY, "opacity": 0.35}, hoverinfo="skip", row=1, col=1,
    )  # fmt: skip
    figure.add_scatter(
        x=scored["x"].round(3), y=scored["y"].round(3), mode="markers", name="scored", showlegend=False,
        marker={"size": 9, "color": scored["score"], "coloraxis": "coloraxis"}, text=scored["budget"],
        hovertemplate="%{text}: %{marker.color:.3f}<extra></extra>", row=1, col=1,
    )  # fmt: skip
    figure.add_scatter(
        x=pairs["kernel"].round(3), y=pairs["cosine"].round(3), mode="markers", name="pairs", showlegend=False,
        marker={"size": 4, "color": BLUE, "opacity": 0.25}, hoverinfo="skip", row=1, col=2,
    )  # fmt: skip
    figure.update_xaxes(title_text="first component", col=1)
    figure.update_yaxes(title_text="second component", col=1)
    figure.update_xaxes(title_text="kernel of graphs", col=2)
    figure.update_yaxes(title_text="cosine of vectors", col=2)
    figure.update_layout(coloraxis={"colorbar": {"title": {"text": "score"}, "x": 0.54, "len": 0.9}})
    return themed(figure, height=420)
