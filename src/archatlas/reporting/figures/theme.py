"""Colours and plotly templates that all figures share, for a light and a dark page.

Trace colours say what something is (a role has one colour in every figure) and have a contrast of at least 3:1 on both
pages. Colour scales come from the template, so that "few" is always the colour nearest to the page.
"""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

BLUE = "#3d7fd0"
ORANGE = "#cf7a1f"
GREEN = "#2a9472"
RED = "#d64560"
PURPLE = "#9a6fc8"
GREY = "#858d98"

COLOURS = {"blue": BLUE, "orange": ORANGE, "green": GREEN, "red": RED, "purple": PURPLE, "grey": GREY}
"""By the names that scorers go by (``scorers.scorer``)."""

PREDICTOR, SUPERNET, COUNTED, CEILING = BLUE, ORANGE, GREY, GREEN
WINNER, RANDOM, MOBILENET = RED, GREY, PURPLE
CYCLE = (BLUE, ORANGE, GREEN, PURPLE, RED, GREY)

SHARE = {"autorangeoptions": {"clipmin": 0, "clipmax": 1}}
"""Of an axis of accuracies: where all are (almost) the same, it does not go beyond what can be."""

FONT = 'ui-sans-serif, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", Arial, sans-serif'


def _template(*, ink: str, faint: str, line: str, paper: str, few: str, many: str) -> dict[str, Any]:
    axis = {
        "gridcolor": faint,
        "linecolor": line,
        "tickcolor": line,
        "zeroline": False,
        "showline": True,
        "ticks": "outside",
        "ticklen": 4,
        "automargin": True,
        "title": {"standoff": 10, "font": {"size": 13}},
    }
    return {
        "layout": {
            "font": {"family": FONT, "size": 13, "color": ink},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "colorway": list(CYCLE),
            "xaxis": axis,
            "yaxis": axis,
            "margin": {"l": 60, "r": 24, "t": 44, "b": 52},
            "legend": {"orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"},
            "hoverlabel": {"bgcolor": paper, "bordercolor": line, "font": {"color": ink, "family": FONT}},
            "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": line, "activecolor": ink},
            "annotationdefaults": {"font": {"color": ink}},
            "shapedefaults": {"line": {"color": line}},
            "colorscale": {
                "sequential": [[0, few], [0.5, BLUE], [1, many]],
                "diverging": [[0, ORANGE], [0.5, few], [1, BLUE]],
            },
        },
        "data": {
            "heatmap": [
                {
                    "colorbar": {
                        "outlinewidth": 0,
                        "thickness": 12,
                        "ticks": "outside",
                        "ticklen": 4,
                        "title": {"font": {"size": 13}},
                    }
                }
            ],
        },
    }


LIGHT = _template(ink="#1d2733", faint="#e6e9ee", line="#b4bcc6", paper="#ffffff", few="#eef3fa", many="#12305c")
DARK = _template(ink="#dfe4ea", faint="#2a313a", line="#566070", paper="#1b2027", few="#212b38", many="#dbe9fc")


def themed(figure: go.Figure, *, height: int, **layout: Any) -> go.Figure:
    """The same figure with the shared template, a height in pixels and further layout."""
    figure.update_layout(template=LIGHT, height=height, **layout)
    return figure


def empty(message: str) -> go.Figure:
    """A figure that says in words why there is nothing to draw."""
    figure = go.Figure()
    figure.add_annotation(text=message, showarrow=False, x=0.5, y=0.5, xref="paper", yref="paper")
    return themed(figure, height=160, xaxis={"visible": False}, yaxis={"visible": False})
