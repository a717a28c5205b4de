"""The super-network of a space of freely wired cells: the complete DAG, with weights of its own for every edge.

A 1x1 convolution of concatenated maps is the sum of a 1x1 convolution of each, so its weights fall into a slice for
each edge; depthwise convolutions and batch norms of the concatenation fall apart by themselves. A subnet takes the
slices of its edges side by side, and computes what a network of its own with these weights does.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from archatlas.networks.blocks import Chain, ConvNorm, initialise
from archatlas.spaces.wired_cells import WiredCells
from archatlas.spaces.wired_frame import Steps
from archatlas.supernet.protocol import Supernet


class WiredEdge(nn.Module):
    """What a vertex does to one of the maps that it reads, before they are added up: its slices of the weights."""

    def __init__(self, in_width: int, width: int, *, separable: bool) -> None:
        super().__init__()
        self.depthwise = ConvNorm(in_width, in_width, 3, groups=in_width) if separable else nn.Identity()
        self.pointwise = nn.Conv2d(in_width, width, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.pointwise(self.depthwise(x))
        return y


class CompleteCell(nn.Module):
    """A cell with all its edges; which of them compute is told with each call.

    ``readings[target - 1][source]`` is an edge, ``activations[target - 1]`` what follows the sum of those into a
    vertex, ``outputs[vertex - 1]`` the slice of the cell's output for the case that the vertex is a sink.
    """

    def __init__(self, space: WiredCells, cell: int) -> None:
        super().__init__()
        shape, in_width = space.cells[cell], space.in_width(cell)
        widths = [in_width, *[shape.width] * space.vertices]
        self.readings = nn.ModuleList(
            nn.ModuleList(WiredEdge(width, shape.width, separable=bool(kind)) for width in widths[:target])
            for target, kind in enumerate(shape.kinds.tolist(), start=1)
        )
        self.activations = nn.ModuleList(
            nn.Sequential(nn.BatchNorm2d(shape.width), nn.ReLU(inplace=True)) for _ in shape.kinds
        )
        self.outputs = nn.ModuleList(nn.Conv2d(shape.width, shape.out_width, 1, bias=False) for _ in shape.kinds)
        self.output_norm = nn.BatchNorm2d(shape.out_width)
        self.shortcut = ConvNorm(in_width, shape.out_width, activation=None)

    def edge(self, source: int, target: int) -> WiredEdge:
        """The module of an edge."""
        edge = self.readings[target - 1][source]  # type: ignore[index]
        assert isinstance(edge, WiredEdge)
        return edge

    def parts(self, steps: Steps) -> list[nn.Module]:
        """The modules that a wiring computes with (not copied)."""
        edges: list[nn.Module] = [self.edge(source, target) for target, sources in steps for source in sources]
        vertices = [self.activations[target - 1] for target, _ in steps]
        return [
            *edges,
            *vertices,
            *(self.outputs[sink - 1] for sink in sinks_of(steps)),
            self.output_norm,
            self.shortcut,
        ]

    def forward(self, x: Tensor, steps: Steps) -> Tensor:
        """Maps ``[b, c, h, w]`` through one wiring: each vertex by one convolution with the slices side by side."""
        values = {0: x}
        for target, sources in steps:
            edges = [self.edge(source, target) for source in sources]
            maps = [edge.depthwise(values[source]) for edge, source in zip(edges, sources, strict=True)]
            values[target] = self.activations[target - 1](_pointwise(maps, [edge.pointwise for edge in edges]))
        sinks = sinks_of(steps)
        y = _pointwise([values[sink] for sink in sinks], [self.outputs[sink - 1] for sink in sinks])
        return functional.relu(self.output_norm(y) + self.shortcut(x))

    def state_of(self, steps: Steps) -> dict[str, Tensor]:
        """The state of the ``WiredCell`` that computes one wiring with the same weights (see ``networks/wired.py``)."""
        state: dict[str, Tensor] = {}
        for place, (target, sources) in enumerate(steps):
            edges, vertex = [self.edge(source, target) for source in sources], f"operations.{place}."
            if isinstance(edges[0].depthwise, ConvNorm):
                state |= _side_by_side([edge.depthwise for edge in edges], f"{vertex}0.")
                vertex += "1."
            state |= _side_by_side([edge.pointwise for edge in edges], f"{vertex}0.", 1)
            state |= _side_by_side([self.activations[target - 1][0]], f"{vertex}1.")  # type: ignore[index]
        state |= _side_by_side([self.outputs[sink - 1] for sink in sinks_of(steps)], "join.0.", 1)
        state |= _side_by_side([self.output_norm], "join.1.")
        return state | _side_by_side([self.shortcut], "shortcut.")

    def mixed(self, x: Tensor, gates: Tensor, open_pairs: Collection[int]) -> Tensor:
        """Maps through all edges of ``open_pairs``, each times its gate.

        A vertex is there as far as any of its edges is, and a sink as far as it is there and every edge to a later
        vertex is absent.

        Args:
            x: ``[b, c, h, w]``
            gates: ``[pairs, 2]``: how far each edge is absent, and how far it is there
            open_pairs: places of the edges that are computed
        """
        vertices = len(self.readings)
        values, there = {0: x}, {0: x.new_ones(())}
        for target in range(1, vertices + 1):
            first = target * (target - 1) // 2
            flows = {
                source: there[source] * gates[first + source, 1]
                for source in range(target)
                if source in values and first + source in open_pairs
            }
            if flows:
                maps = [flow * self.edge(source, target)(values[source]) for source, flow in flows.items()]
                values[target] = self.activations[target - 1](torch.stack(maps).sum(dim=0))
                there[target] = 1 - torch.stack([1 - flow for flow in flows.values()]).prod()
        shortcut = self.shortcut(x)
        y = torch.zeros_like(shortcut)
        for vertex, module in enumerate(self.outputs, start=1):
            later = [target * (target - 1) // 2 + vertex for target in range(vertex + 1, vertices + 1)]
            if vertex in values:
                y = y + there[vertex] * gates[later, 0].prod() * module(values[vertex])
        return functional.relu(self.output_norm(y) + shortcut)


class WiredSupernet(Supernet):
    """Stem, complete cells with the pooling before them, head. A subnet is a wiring of each cell."""

    def __init__(self, space: WiredCells, generator: torch.Generator) -> None:
        super().__init__(space.input_shape[-1])
        self.space = space
        self.stem = space.make_stem()
        blocks: list[nn.Module] = []
        for cell in range(len(space.cells)):
            pool = space.make_pool(cell)
            blocks += [] if pool is None else [pool]
            blocks.append(CompleteCell(space, cell))
        self.blocks = nn.ModuleList(blocks)
        self.head = space.make_head()
        initialise(self, generator)

    def parts(self, choices: Sequence[int]) -> list[nn.Module]:
        """The modules that one path computes with, from the stem to the head (not copied)."""
        schedule = iter(self._schedule(choices))
        parts: list[nn.Module] = [self.stem]
        for block in self.blocks:
            parts += block.parts(next(schedule)) if isinstance(block, CompleteCell) else [block]
        return [*parts, self.head]

    def forward(self, images: Tensor, choices: Sequence[int]) -> Tensor:
        """Images ``[b, c, h, w]`` to logits ``[b, classes]`` along one path."""
        schedule, x = iter(self._schedule(choices)), self.stem(images)
        for block in self.blocks:
            x = block(x, next(schedule)) if isinstance(block, CompleteCell) else block(x)
        logits: Tensor = self.head(x)
        return logits

    def mixed(self, images: Tensor, gates: Sequence[Tensor], chosen: Sequence[int] | None = None) -> Tensor:
        """Images to logits along all paths at once, or along the chosen one (``Supernet.mixed``)."""
        pairs = len(self.space.num_choices) // len(self.space.cells)
        stacked = torch.stack(list(gates))
        if chosen is not None:
            stacked = stacked * torch.eye(2, device=stacked.device)[torch.tensor(list(chosen))]
        x, first = self.stem(images), 0
        for block in self.blocks:
            if not isinstance(block, CompleteCell):
                x = block(x)
                continue
            open_pairs = {p for p in range(pairs) if chosen is None or int(chosen[first + p]) == 1}
            x = block.mixed(x, stacked[first : first + pairs], open_pairs)
            first += pairs
        logits: Tensor = self.head(x)
        return logits

    def extract(self, choices: Sequence[int]) -> Chain:
        """The subnet alone: the path's slices of the weights side by side, with the same logits."""
        alone = self.space.build(choices)
        assert isinstance(alone, Chain)
        alone.stem.load_state_dict(self.stem.state_dict())
        alone.head.load_state_dict(self.head.state_dict())
        schedule = iter(self._schedule(choices))
        for own, shared in zip(alone.blocks, self.blocks, strict=True):
            if isinstance(shared, CompleteCell):
                own.load_state_dict(shared.state_of(next(schedule)))
        return alone.to(next(self.parameters()).device)

    def _schedule(self, choices: Sequence[int]) -> list[Steps]:
        return self.space.schedule(np.array(choices, dtype=np.int8))


def sinks_of(steps: Steps) -> list[int]:
    """The vertices that no other reads, in order."""
    read = {source for _, sources in steps for source in sources}
    return [vertex for vertex, _ in steps if vertex not in read]


def _pointwise(maps: Sequence[Tensor], slices: Sequence[nn.Module]) -> Tensor:
    """The sum of 1x1 convolutions, each of its map, as one of all maps."""
    return functional.conv2d(torch.cat(list(maps), dim=1), torch.cat([conv.weight for conv in slices], dim=1))  # type: ignore[misc]


def _side_by_side(modules: Sequence[nn.Module], prefix: str, dim: int = 0) -> dict[str, Tensor]:
    """The state of modules that become one of all their channels; counters are the first's."""
    states = [module.state_dict() for module in modules]
    return {
        prefix + name: torch.cat([state[name] for state in states], dim) if value.dim() else value
        for name, value in states[0].items()
    }
