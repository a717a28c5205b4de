"""The building blocks of networks that repeat one cell: cells, what reduces between them, head.

Those of NAS-Bench-201 follow Dong & Yang (ICLR 2020, sections 2.1 and 2.2), those of NAS-Bench-101 Ying et al. (ICML
2019, section 2) and those of TransNAS-Bench-101 its authors' code, parameter for parameter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from archatlas.networks.blocks import ConvNorm

Edges = Sequence[tuple[int, int]]
"""Source and target node of each edge of a cell, ordered by target."""


class PreActivationConv(nn.Sequential):
    """ReLU, convolution without bias, batch norm; size becomes ceil(size / stride)."""

    def __init__(self, in_width: int, out_width: int, kernel: int, stride: int = 1) -> None:
        super().__init__(
            nn.ReLU(),
            nn.Conv2d(in_width, out_width, kernel, stride, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(out_width),
        )


def flow(x: Tensor, edges: Edges, operations: Mapping[int, nn.Module]) -> Tensor:
    """The last node of a cell whose node 0 is ``x``: each node sums what its edges compute, zero if there are none.

    Args:
        x: ``[b, c, h, w]``
        edges: of the whole cell
        operations: by number of edge, for the edges that compute something; each reads a node that is fed
    """
    values: dict[int, Tensor] = {0: x}
    for edge, operation in operations.items():
        source, target = edges[edge]
        y = operation(values[source])
        values[target] = values[target] + y if target in values else y
    last = edges[-1][1]
    return values[last] if last in values else torch.zeros_like(x)


class EdgeCell(nn.Module):
    """A cell with operations on its edges, ascending; edges without an operation compute nothing."""

    def __init__(self, edges: Edges, operations: Mapping[int, nn.Module]) -> None:
        super().__init__()
        self.edges = tuple(edges)
        self.operations = nn.ModuleDict({str(edge): operation for edge, operation in sorted(operations.items())})

    def forward(self, x: Tensor) -> Tensor:
        return flow(x, self.edges, {int(edge): operation for edge, operation in self.operations.items()})


class ShapingEdgeCell(EdgeCell):
    """The same where operations that read the input make another shape of it; zeros of that shape without any."""

    def __init__(self, edges: Edges, operations: Mapping[int, nn.Module], width: int, stride: int) -> None:
        super().__init__(edges, operations)
        self.width, self.stride = width, stride

    def forward(self, x: Tensor) -> Tensor:
        if len(self.operations):
            return super().forward(x)
        height, breadth = (-(-side // self.stride) for side in x.shape[2:])
        return x.new_zeros(len(x), self.width, height, breadth)


class FactorizedReduction(nn.Module):
    """ReLU, two 1x1 convolutions of stride 2 side by side, one a pixel on, batch norm; odd sides are padded."""

    def __init__(self, in_width: int, out_width: int) -> None:
        super().__init__()
        half = out_width // 2
        self.first = nn.Conv2d(in_width, half, 1, stride=2, bias=False)
        self.second = nn.Conv2d(in_width, out_width - half, 1, stride=2, bias=False)
        self.norm = nn.BatchNorm2d(out_width)

    def forward(self, x: Tensor) -> Tensor:
        x = x.relu()
        moved = functional.pad(x, (0, x.shape[3] % 2, 0, x.shape[2] % 2))[:, :, 1:, 1:]
        y: Tensor = self.norm(torch.cat([self.first(x), self.second(moved)], dim=1))
        return y


class ResidualReduction(nn.Module):
    """The residual block between stages: two 3x3 convolutions, the first strided, beside a pooled 1x1 projection."""

    def __init__(self, in_width: int, out_width: int, stride: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            PreActivationConv(in_width, out_width, 3, stride), PreActivationConv(out_width, out_width, 3)
        )
        project = nn.Conv2d(in_width, out_width, 1, bias=False)
        pool: list[nn.Module] = [nn.AvgPool2d(2, ceil_mode=True)] if stride == 2 else []
        self.shortcut = nn.Sequential(*pool, project)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.shortcut(x) + self.layers(x)
        return y


class NormHead(nn.Module):
    """Batch norm, ReLU, global average, linear classifier."""

    def __init__(self, width: int, num_classes: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(width)
        self.classifier = nn.Linear(width, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.norm(x).relu().mean(dim=(2, 3)))
        return logits


class VertexCell(nn.Module):
    """A cell with operations on its vertices (NAS-Bench-101), whose output concatenates what it reads.

    The cell's input is projected (1x1 convolution, batch norm, ReLU) to whatever reads it; other vertices are cut to
    the reader's channels, where division left them one more; both are summed. A projection of the input is added to the
    concatenation where the output reads the input.

    Args:
        in_width: channels of the cell's input
        widths: channels of each vertex but the input, the output's last
        readers: for each vertex but the input, in order, which vertices it reads; 0 is the input
        operations: of each vertex between input and output, made for its channels
    """

    def __init__(
        self, in_width: int, widths: Sequence[int], readers: Sequence[Sequence[int]], operations: Sequence[nn.Module]
    ) -> None:
        super().__init__()
        self.widths, self.readers = tuple(widths), tuple(tuple(sources) for sources in readers)
        self.operations = nn.ModuleList(operations)
        self.projections = nn.ModuleDict(
            {
                str(vertex): ConvNorm(in_width, width)
                for vertex, (width, sources) in enumerate(zip(widths, readers, strict=True), start=1)
                if 0 in sources
            }
        )

    def forward(self, x: Tensor) -> Tensor:
        values = [x]
        for vertex, operation in enumerate(self.operations, start=1):
            width = self.widths[vertex - 1]
            read = [values[source][:, :width] for source in self.readers[vertex - 1] if source]
            values.append(operation(_sum([*read, *self._projected(x, vertex)])))
        read = [values[source] for source in self.readers[-1] if source]
        joined = [torch.cat(read, dim=1)] if read else []
        return _sum([*joined, *self._projected(x, len(self.widths))])

    def _projected(self, x: Tensor, vertex: int) -> list[Tensor]:
        return [self.projections[str(vertex)](x)] if 0 in self.readers[vertex - 1] else []


def _sum(terms: Sequence[Tensor]) -> Tensor:
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total
