"""A chain drawn as a graph: an SVG that reads from left to right, a row per stage.

Colours come from the page's style sheet (classes), so that the drawing follows the light or the dark page.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Literal

import pandas as pd

from archatlas.reporting.numbers import short
from archatlas.spaces.chain import ChainSpace

_BOX, _TALL, _GAP, _ROW, _LEFT, _TOP = 132, 62, 42, 102, 132, 22


@dataclass(frozen=True)
class DrawnNode:
    """A node: its title, two lines of detail, its row (stem 0, stages from 1, head last) and what kind it is."""

    title: str
    detail: str
    note: str
    row: int
    kind: Literal["end", "fixed", "block", "skip"]
    kernel: int = 0
    adds_input: bool = False


def chain_nodes(space: ChainSpace, name: str, cost_table: pd.DataFrame) -> list[DrawnNode]:
    """The nodes of the architecture ``name`` in the order of the data, from the input to the output.

    MACs of parts come from ``cost_table`` (part, position, choice, macs); without it they are left out.
    """
    choices = space.parse([name])[0]
    channels, height, breadth = space.input_shape
    stem = space.block_input_shape(0)
    last = len(space.stages) + 1
    nodes = [
        DrawnNode("input", f"{height} \u00d7 {breadth}", _channels(channels), 0, "end"),
        DrawnNode(
            "stem 3\u00d73",
            f"{channels} \u2192 {stem[0]}{_stride(space.stem_stride)}",
            _macs(cost_table, "stem"),
            0,
            "fixed",
            3,
        ),
    ]
    for position, choice in enumerate(choices):
        operation = space.operation(position, int(choice))
        entering, leaving = space.block_input_shape(position), space.block_input_shape(position + 1)
        stage = space.stage_of(position)
        first = position == 0 or space.stage_of(position - 1) != stage
        stride = space.stages[stage].stride if first else 1
        keeps_shape = stride == 1 and entering[0] == leaving[0]
        widths = f"{entering[0]} \u2192 {leaving[0]}{_stride(stride)}"
        macs = _macs(cost_table, "block", position, int(choice))
        if operation.is_skip and keeps_shape:
            nodes.append(DrawnNode("skip", "nothing computed", "", stage + 1, "skip"))
        elif operation.is_skip:
            nodes.append(DrawnNode("1\u00d71", widths, macs, stage + 1, "fixed"))
        else:
            kernel = operation.kernel
            title = f"{kernel}\u00d7{kernel}  expand {operation.expansion}"
            nodes.append(DrawnNode(title, widths, macs, stage + 1, "block", kernel, keeps_shape))
    end = space.block_input_shape(len(choices))
    head = (
        f"{end[0]} \u2192 {space.head_width} \u2192 mean" if space.head_width else f"mean over {end[1]}\u00d7{end[2]}"
    )
    nodes.append(DrawnNode("head", head, _macs(cost_table, "head"), last, "fixed"))
    nodes.append(DrawnNode("output", f"{space.num_classes} classes", "", last, "end"))
    return nodes


def _channels(count: int) -> str:
    return f"{count} channel" + ("s" if count != 1 else "")


def _stride(stride: int) -> str:
    return f", stride {stride}" if stride > 1 else ""


def _macs(cost_table: pd.DataFrame, part: str, position: int | None = None, choice: int = 0) -> str:
    if cost_table.empty:
        return ""
    here = cost_table["part"] == part
    if position is not None:
        here &= (cost_table["position"] == position) & (cost_table["choice"] == choice)
    found = cost_table.loc[here, "macs"]
    return short(int(found.iloc[0]), "MACs") if len(found) else ""


def draw_chain(space: ChainSpace, name: str, cost_table: pd.DataFrame) -> str:
    """SVG markup of the architecture ``name``."""
    nodes = chain_nodes(space, name, cost_table)
    rows = len(space.stages) + 2
    columns = max(sum(node.row == row for node in nodes) for row in range(rows))
    width, height = _LEFT + columns * (_BOX + _GAP), _TOP + rows * _ROW - (_ROW - _TALL) + 8
    places = _places(nodes)
    parts = [_row_label(space, row) for row in range(rows)]
    parts += [_edge(places[i], places[i + 1]) for i in range(len(nodes) - 1)]
    parts += [_node(node, place) for node, place in zip(nodes, places, strict=True)]
    title = f"Architecture {name}: {sum(node.kind == 'block' for node in nodes)} blocks in {len(space.stages)} stages"
    return (
        f'<svg class="architecture" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}" '
        f'style="min-width:{min(width, 640)}px;max-width:{width}px" xmlns="http://www.w3.org/2000/svg">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )


def _places(nodes: list[DrawnNode]) -> list[tuple[float, float]]:
    """Upper left corner of each node."""
    taken: dict[int, int] = {}
    places = []
    for node in nodes:
        column = taken.get(node.row, 0)
        taken[node.row] = column + 1
        places.append((float(_LEFT + column * (_BOX + _GAP)), float(_TOP + node.row * _ROW)))
    return places


def _row_label(space: ChainSpace, row: int) -> str:
    middle = _TOP + row * _ROW + _TALL / 2
    if not 1 <= row <= len(space.stages):
        return ""
    stage = space.stages[row - 1]
    position = sum(other.depth for other in space.stages[: row - 1])
    _, height, breadth = space.block_input_shape(position + 1)
    return (
        f'<text class="row-title" x="0" y="{middle - 5}">stage {row}</text>'
        f'<text class="row-note" x="0" y="{middle + 13}">{stage.width} ch, {height}\u00d7{breadth}</text>'
    )


def _edge(start: tuple[float, float], stop: tuple[float, float]) -> str:
    x0, y0 = start[0] + _BOX, start[1] + _TALL / 2
    x1, y1 = stop[0], stop[1] + _TALL / 2
    if start[1] == stop[1]:
        return f'<path class="edge" d="M{x0} {y0}H{x1 - 7}"/>{_arrow(x1, y1)}'
    # To the next row: out to the right, down between the rows, back to the left and in.
    between = (start[1] + _TALL + stop[1]) / 2 - 6
    out, back = x0 + _GAP - 12, x1 - 22
    path = f"M{x0} {y0}H{out - 8}q8 0 8 8V{between - 8}q0 8 -8 8H{back + 8}q-8 0 -8 8V{y1 - 8}q0 8 8 8H{x1 - 7}"
    return f'<path class="edge" d="{path}"/>{_arrow(x1, y1)}'


def _arrow(x: float, y: float) -> str:
    return f'<path class="arrow" d="M{x - 1} {y}l-8 -4.5v9z"/>'


def _node(node: DrawnNode, place: tuple[float, float]) -> str:
    x, y = place
    middle = x + _BOX / 2
    lines = [line for line in (node.detail, node.note) if line]
    top = y + (_TALL - 16 * (len(lines) + 1)) / 2 + 13
    parts = []
    if node.adds_input:
        tap, join, level = x - 18, x + _BOX + 15, y + _TALL / 2
        arc = f"M{tap} {level}V{y - 3}q0 -8 8 -8H{join - 8}q8 0 8 8V{level - 5}"
        parts.append(
            f'<path class="residual" d="{arc}"/><circle class="join" cx="{join}" cy="{level}" r="5"/>'
            f'<path class="residual" d="M{join - 3} {level}h6M{join} {level - 3}v6"/>'
        )
    kernel = f" kernel-{node.kernel}" if node.kind == "block" else ""
    radius = _TALL / 2 if node.kind == "end" else 9
    parts.append(
        f'<rect class="node {node.kind}{kernel}" x="{x}" y="{y}" width="{_BOX}" height="{_TALL}" rx="{radius}"/>'
        f'<text class="node-title {node.kind}" x="{middle}" y="{top}">{escape(node.title)}</text>'
    )
    for index, line in enumerate(lines, start=1):
        parts.append(f'<text class="node-note" x="{middle}" y="{top + 16 * index}">{escape(line)}</text>')
    return "".join(parts)
