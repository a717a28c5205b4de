"""Which classes are taken for which: a heat map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from archatlas.reporting import numbers
from archatlas.reporting.figures.theme import RED, empty, themed

MOST_CLASSES = 40
"""More would be too many cells to be read, or to be sent with the page."""
_MOST_WITH_COUNTS = 20
_LONGEST_NAME = 22


def shown_classes(counts: NDArray[np.int64], most: int = MOST_CLASSES) -> list[int]:
    """Which classes a figure shows, in order: all, or the ``most`` that take part in most mistakes.

    Classes that are never found come first of all. ``counts`` int64 [c, c]: true class by row, predicted by column.
    """
    images, right = counts.sum(axis=1), np.diag(counts)
    if len(counts) <= most:
        return list(range(len(counts)))
    mistakes = images + counts.sum(axis=0) - 2 * right
    lost = (images > 0) & (right == 0)
    return sorted(np.lexsort((-mistakes, ~lost))[:most].tolist())


def figure_confusion(counts: NDArray[np.int64], class_names: Sequence[str]) -> go.Figure:
    """Heat map of true classes (rows) by predicted classes (columns): test images, coloured by their share of the row.

    A class of which no image is found has a red frame about its cell on the diagonal, which would else be pale.
    ``counts`` int64 [c, c]; at most `MOST_CLASSES` are shown (`shown_classes`).
    """
    if not counts.sum():
        return empty("No test image was predicted.")
    chosen = shown_classes(counts)
    images = counts.sum(axis=1)
    shares = counts / np.maximum(images, 1)[:, None]
    part, count = shares[np.ix_(chosen, chosen)], len(chosen)
    names = [_short(class_names[index]) for index in chosen]
    rows = [
        f"{name}  {numbers.percent(shares[index, index], 0) if images[index] else numbers.DASH}"
        for name, index in zip(names, chosen, strict=True)
    ]
    figure = go.Figure(
        go.Heatmap(
            z=[
                [float(value) if images[row] else None for value in values]
                for row, values in zip(chosen, part, strict=True)
            ],
            text=[[_cell(counts, row, column, count) for column in chosen] for row in chosen],
            customdata=[[_hover(counts, class_names, row, column) for column in chosen] for row in chosen],
            texttemplate="%{text}",
            autocolorscale=True,
            zmin=0,
            zmax=1,
            xgap=1,
            ygap=1,
            hoverongaps=False,
            hovertemplate="%{customdata}<extra></extra>",
            colorbar={"title": {"text": "share of<br>the class"}, "tickformat": ".0%"},
        )
    )
    for place, index in enumerate(chosen):
        if images[index] and not counts[index, index]:
            ends = {"x0": place - 0.5, "x1": place + 0.5, "y0": place - 0.5, "y1": place + 0.5}
            figure.add_shape(type="rect", line={"color": RED, "width": 2.5}, **ends)
    ticks = list(range(count))
    axis = {"tickvals": ticks, "showgrid": False, "ticks": "", "range": [-0.5, count - 0.5]}
    angle = -45 if max(map(len, names)) > 3 else 0
    return themed(
        figure,
        height=170 + max(22, 300 // count) * count,
        xaxis={**axis, "ticktext": names, "title": {"text": "taken for"}, "tickangle": angle},
        yaxis={**axis, "ticktext": rows, "title": {"text": "class, and its accuracy"}, "range": [count - 0.5, -0.5]},
        margin={"t": 16},
    )


def _cell(counts: NDArray[np.int64], row: int, column: int, shown: int) -> str:
    count = int(counts[row, column])
    return str(count) if shown <= _MOST_WITH_COUNTS and (count or (row == column and counts[row].any())) else ""


def _hover(counts: NDArray[np.int64], class_names: Sequence[str], row: int, column: int) -> str:
    what = "found" if row == column else f"taken for {class_names[column]}"
    total = int(counts[row].sum())
    share = numbers.percent(counts[row, column] / total) if total else numbers.DASH
    return f"{class_names[row]} {what}: {int(counts[row, column])} of {total} ({share})"


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}\N{HORIZONTAL ELLIPSIS}"
