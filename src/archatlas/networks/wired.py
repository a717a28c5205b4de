"""Cells of any wiring (SwiftNet: Cheng et al., arXiv 1906.08305; layer by layer as a released network has them).

A vertex concatenates what it reads and applies its operation; the cell concatenates its sinks, projects them linearly,
adds a projection of its own input, and ends in a ReLU.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from archatlas.networks.blocks import ConvNorm


class Vertex(NamedTuple):
    """One vertex of a cell: its operation and which values it reads, 0 the cell's input and i the i-th vertex."""

    operation: nn.Module
    sources: Sequence[int]


class SeparableConv(nn.Sequential):
    """Depthwise 3x3 convolution and 1x1 convolution, each with batch norm and ReLU."""

    def __init__(self, in_width: int, out_width: int) -> None:
        super().__init__(ConvNorm(in_width, in_width, 3, groups=in_width), ConvNorm(in_width, out_width))


class WiredCell(nn.Module):
    """Vertices in a topological order, each computed once and let go after its last reader.

    Args:
        in_width: channels of the cell's input
        width: channels of every vertex
        out_width: channels of the cell's output
        vertices: in order, each made for the channels that it reads; at least one
    """

    def __init__(self, in_width: int, width: int, out_width: int, vertices: Sequence[Vertex]) -> None:
        super().__init__()
        self.operations = nn.ModuleList(vertex.operation for vertex in vertices)
        self.sources = tuple(tuple(vertex.sources) for vertex in vertices)
        read = {source for sources in self.sources for source in sources}
        self.sinks = tuple(vertex for vertex in range(1, len(vertices) + 1) if vertex not in read)
        last = {source: step for step, sources in enumerate(self.sources) for source in sources}
        self.released = tuple(
            tuple(value for value, step in last.items() if step == now) for now in range(len(vertices))
        )
        self.join = ConvNorm(width * len(self.sinks), out_width, activation=None)
        self.shortcut = ConvNorm(in_width, out_width, activation=None)

    def forward(self, x: Tensor) -> Tensor:
        values: list[Tensor | None] = [x]
        for operation, sources, released in zip(self.operations, self.sources, self.released, strict=True):
            values.append(operation(_joined([values[source] for source in sources])))
            for value in released:
                values[value] = None
        joined: Tensor = self.join(_joined([values[sink] for sink in self.sinks])) + self.shortcut(x)
        return joined.relu()


def _joined(values: Sequence[Tensor | None]) -> Tensor:
    """Concatenated channels, all of which are there."""
    there = [value for value in values if value is not None]
    return there[0] if len(there) == 1 else torch.cat(there, dim=1)
