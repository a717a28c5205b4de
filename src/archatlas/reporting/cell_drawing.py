"""A cell drawn as a graph: an SVG that reads from left to right, an operation as far right as what it reads demands.

Drawn from the space's own architecture graph, so that it shows what is computed: dead operations are left out. Any
space whose node features begin with input, output and ``operation_...`` can be drawn. An edge that passes over columns
has a row of its own in each of them (Sugiyama et al., IEEE SMC 1981), so that no two edges share a line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from archatlas.spaces.protocol import SearchSpace

_BOX, _TALL, _GAP, _ROW, _EDGE = 132, 46, 64, 68, 12

Point = tuple[float, float]


@dataclass(frozen=True)
class _Layout:
    """Words of the nodes, their columns and rows, and for each edge the (column, row) of all that it passes."""

    words: list[str]
    places: list[tuple[int, int]]
    edges: list[list[tuple[int, int]]]


def draw_cell(space: SearchSpace, name: str) -> str:
    """SVG markup of the architecture ``name``."""
    layout = _lay_out(space, name)
    stops = [stop for edge in layout.edges for stop in edge] + layout.places
    width = 2 * _EDGE + max(column for column, _ in stops) * (_BOX + _GAP) + _BOX
    height = 2 * _EDGE + max(row for _, row in stops) * _ROW + _TALL
    edges = [_edge([_corner(stop) for stop in edge]) for edge in layout.edges]
    boxes = [_node(word, _corner(place)) for word, place in zip(layout.words, layout.places, strict=True)]
    title = f"Architecture {name}: {len(boxes) - 2} operations"
    return (
        f'<svg class="architecture" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}" '
        f'style="min-width:{min(width, 640)}px;max-width:{width}px" xmlns="http://www.w3.org/2000/svg">'
        f"<title>{escape(title)}</title>{''.join(edges)}{''.join(boxes)}</svg>"
    )


def _lay_out(space: SearchSpace, name: str) -> _Layout:
    graphs = space.graphs(space.parse([name]))
    kept = np.flatnonzero(graphs.mask[0])
    adjacency = graphs.adjacency[0][np.ix_(kept, kept)]
    words = [_word(space.graph_features, features) for features in graphs.features[0][kept]]
    columns = _columns(adjacency)
    edges = [(int(source), int(target)) for source, target in np.argwhere(adjacency)]
    # What stands in a column: nodes, and edges that pass; each with the rows that it comes from.
    rows: dict[tuple[object, int], int] = {}
    for column in range(max(columns) + 1):
        comes_from: dict[object, list[int]] = {n: [] for n, own in enumerate(columns) if own == column}
        for source, target in edges:
            before = rows.get(((source, target), column - 1), rows.get((source, column - 1)))
            if columns[source] < column <= columns[target] and before is not None:
                comes_from.setdefault(target if columns[target] == column else (source, target), []).append(before)
        order = sorted(comes_from, key=lambda thing: (np.mean(comes_from[thing] or [0]), isinstance(thing, int)))
        rows |= {(thing, column): row for row, thing in enumerate(order)}
    places = [(column, rows[node, column]) for node, column in enumerate(columns)]
    passed = [
        [places[s], *((c, rows[(s, t), c]) for c in range(columns[s] + 1, columns[t])), places[t]] for s, t in edges
    ]
    return _Layout(words, places, passed)


def _word(names: tuple[str, ...], features: NDArray[np.float32]) -> str:
    marked = [name for name, value in zip(names, features, strict=True) if value]
    return marked[0].removeprefix("operation_")


def _columns(adjacency: NDArray[np.bool_]) -> list[int]:
    """The longest path from the input to each node."""
    columns = [0] * len(adjacency)
    for node in range(1, len(adjacency)):
        columns[node] = 1 + max((columns[source] for source in np.flatnonzero(adjacency[:, node])), default=0)
    return columns


def _corner(place: tuple[int, int]) -> Point:
    column, row = place
    return float(_EDGE + column * (_BOX + _GAP)), float(_EDGE + row * _ROW)


def _edge(corners: list[Point]) -> str:
    x, y = corners[0][0] + _BOX, corners[0][1] + _TALL / 2
    path = f"M{x} {y}"
    for index, (left, top) in enumerate(corners[1:], start=1):
        level, last = top + _TALL / 2, index == len(corners) - 1
        end = left - 7 if last else left
        path += f"C{x + 34} {y} {left - 34} {level} {end} {level}" + ("" if last else f"H{left + _BOX}")
        x, y = left + _BOX, level
    tip = f"M{corners[-1][0] - 1} {y}l-8 -4.5v9z"
    return f'<path class="edge" d="{path}"/><path class="arrow" d="{tip}"/>'


def _node(word: str, corner: Point) -> str:
    x, y = corner
    kernel = re.search(r"(\d)x\1", word)
    ends = word in ("input", "output")
    kind = "end" if ends else "skip" if "skip" in word else "block" if "conv" in word else "fixed"
    shade = f" kernel-{kernel.group(1)}" if kind == "block" and kernel else ""
    radius = _TALL / 2 if ends else 9
    title = word.removeprefix("nor_").removesuffix("-bn-relu").replace("_", " ")
    return (
        f'<rect class="node {kind}{shade}" x="{x}" y="{y}" width="{_BOX}" height="{_TALL}" rx="{radius}"/>'
        f'<text class="node-title {kind}" x="{x + _BOX / 2}" y="{y + _TALL / 2 + 5}">{escape(title)}</text>'
    )
