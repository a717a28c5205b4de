"""Computation graphs of a space's architectures: each network once, and its repeated parts once.

A network that runs its parts one after the other has the graph of these in a row (``chained``). So parts are recorded:
those of a chain once for the whole space, those of a network of cells once for each cell. Others are recorded whole.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from archatlas.graphs.computation import INDEX, ComputationGraph, chained
from archatlas.graphs.recording import record_here
from archatlas.networks.blocks import Chain
from archatlas.networks.cells import EdgeCell, ResidualReduction, VertexCell
from archatlas.spaces.edge_cells import NONE
from archatlas.spaces.nas_bench_101 import NasBench101
from archatlas.spaces.nas_bench_201 import NasBench201
from archatlas.spaces.protocol import ChainLike, Choices, Linked, SearchSpace, chains_of

Shape = tuple[int, ...]


def computation_graphs(space: SearchSpace, choices: Choices) -> tuple[list[ComputationGraph], NDArray[np.intp]]:
    """Distinct graphs, and for each row of ``choices`` which of them is its network's, ``[n]``.

    Architectures that compute the same network have its one graph, that of the canonical architecture.
    """
    rows, index = np.unique(space.canonicalise(choices), axis=0, return_inverse=True)
    recorder = SpaceRecorder(space)
    graphs: list[ComputationGraph] = []
    known: dict[str, int] = {}
    numbers = []
    for row in rows:
        graph = recorder.graph(row)
        number = known.setdefault(graph.digest, len(graphs))
        if number == len(graphs):
            graphs.append(graph)
        numbers.append(number)
    return graphs, np.array(numbers, dtype=np.intp)[index.reshape(-1)]


@dataclass
class SpaceRecorder:
    """Graphs of one space's architectures, with what has been recorded of their parts."""

    space: SearchSpace
    _parts: dict[Hashable, ComputationGraph] = field(default_factory=dict)

    def graph(self, row: Choices) -> ComputationGraph:
        """The graph of one architecture's network ``[positions]``: exactly that of the built module."""
        space = self.space
        chains = chains_of(space)
        if "" in chains:
            return chained([*self._chain("", chains[""], row)])
        if isinstance(space, Linked):
            return chained([self._kept(*link) for link in space.links(row)])
        if isinstance(space, NasBench201):
            return chained([*self._edge_cells(space, row)])
        if isinstance(space, NasBench101):
            return chained([*self._vertex_cells(space, row)])
        with torch.device("meta"):
            return record_here(space.build(row).eval(), space.input_shape)

    def _kept(self, key: Hashable, make: Callable[[], nn.Module], shape: Shape) -> ComputationGraph:
        if key not in self._parts:
            self._parts[key] = _recorded(make, shape)
        return self._parts[key]

    def _chain(self, label: str, chain: ChainLike, row: Choices) -> Iterator[ComputationGraph]:
        yield self._kept((label, "stem"), chain.make_stem, chain.input_shape)
        for position, choice in enumerate(row.tolist()):
            shape = chain.block_input_shape(position)
            yield self._kept((label, position, choice), lambda: chain.make_block(position, choice), shape)  # noqa: B023
        yield self._kept((label, "head"), chain.make_head, chain.block_input_shape(len(row)))

    def _edge_cells(self, space: NasBench201, row: Choices) -> Iterator[ComputationGraph]:
        """Cells of edges write the channels that they read: one is recorded, and those of other stages are wider."""
        pruned = space.prune(row[None])[0].tolist()
        with torch.device("meta"):
            live = {edge: space.make_operation(0, choice) for edge, choice in enumerate(pruned) if choice != NONE}
            cell = EdgeCell(space.cells.edges, live).eval()
        _, height, breadth = space.input_shape
        recorded = record_here(cell, (space.stages[0].width, height, breadth))
        yield self._kept("stem", space.make_stem, space.input_shape)
        channels = space.stem_width
        for index, stage in enumerate(space.stages):
            if stage.stride != 1 or stage.width != channels:
                reduction = cast("Callable[[], nn.Module]", partial(space.make_reduction, index))
                yield self._kept(("before", index), reduction, (channels, height, breadth))
                height, breadth = -(-height // stage.stride), -(-breadth // stage.stride)
                channels = stage.width
            yield from [_wider(recorded, channels, height * breadth)] * stage.depth
        yield self._kept("head", space.make_head, (channels, height, breadth))

    def _vertex_cells(self, space: NasBench101, row: Choices) -> Iterator[ComputationGraph]:
        """Of stages of cells: all cells of a stage are alike but its first, which may read other channels."""
        shallow = replace(space, stages=tuple(replace(stage, depth=min(stage.depth, 2)) for stage in space.stages))
        with torch.device("meta"):
            network = shallow.build(row).eval()
        assert isinstance(network, Chain)
        blocks = list(network.blocks)
        _, height, breadth = space.input_shape
        channels = space.stem_width
        yield self._kept("stem", lambda: network.stem, space.input_shape)
        for index, stage in enumerate(space.stages):
            if not isinstance(blocks[0], VertexCell):
                before = blocks.pop(0)
                yield self._kept(("before", index), lambda: before, (channels, height, breadth))  # noqa: B023
                height, breadth = -(-height // stage.stride), -(-breadth // stage.stride)
                channels = stage.width if isinstance(before, ResidualReduction) else channels
            first, *others = (blocks.pop(0) for _ in range(min(stage.depth, 2)))
            graph = record_here(first, (channels, height, breadth))
            yield graph
            if others and channels != stage.width:
                graph = record_here(others[0], (stage.width, height, breadth))
            yield from [graph] * (stage.depth - 1)
            channels = stage.width
        yield self._kept("head", lambda: network.head, (channels, height, breadth))


def _recorded(make: Callable[[], nn.Module], shape: Shape) -> ComputationGraph:
    with torch.device("meta"):
        return record_here(make().eval(), shape)


def _wider(graph: ComputationGraph, channels: int, places: int) -> ComputationGraph:
    """The same cell on other channels and places: all nodes read and write as many, and convolutions have no bias."""
    nodes = graph.nodes.copy()
    before, places_before = int(nodes["channels_out"][0]), int(nodes["places_out"][0])
    for name in ("channels_in", "channels_out"):
        nodes[name] = channels
    for name in ("places_in", "places_out"):
        nodes[name] = places
    # A convolution's weights grow with both of its sides, what a batch norm holds with one.
    both = np.where(nodes["operator"] == INDEX["convolution"], 2, 1)
    nodes["params"] = nodes["params"] * channels**both // before**both
    nodes["macs"] = nodes["macs"] * channels**2 // before**2 * places // places_before
    return ComputationGraph(nodes, graph.edges)
