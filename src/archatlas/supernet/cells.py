"""The super-network of a space of cells with operations on their edges."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from archatlas.networks.blocks import Chain, initialise
from archatlas.networks.cells import EdgeCell, Edges, flow
from archatlas.spaces.edge_cells import NONE, edge_cells
from archatlas.spaces.nas_bench_201 import NasBench201
from archatlas.supernet.protocol import Supernet


class MixedCell(nn.Module):
    """A cell that holds every operation of every edge; a path says which of them compute.

    ``operations[edge][choice]``; none has no module.
    """

    def __init__(self, edges: Edges, operations: Sequence[Mapping[int, nn.Module]]) -> None:
        super().__init__()
        self.edges = tuple(edges)
        self.operations = nn.ModuleList(
            nn.ModuleDict({str(choice): module for choice, module in of_edge.items()}) for of_edge in operations
        )

    def chosen(self, path: Sequence[int]) -> dict[int, nn.Module]:
        """The operations of one path, by edge (not copied)."""
        return {edge: self._module(edge, choice) for edge, choice in enumerate(path) if choice != NONE}

    def _module(self, edge: int, choice: int) -> nn.Module:
        of_edge = self.operations[edge]
        assert isinstance(of_edge, nn.ModuleDict)
        return of_edge[str(int(choice))]

    def mixed(self, x: Tensor, gates: Sequence[Tensor], chosen: Sequence[int] | None = None) -> Tensor:
        """Features ``[b, c, h, w]`` through all operations, or the chosen ones, each times its gate.

        ``gates[edge]`` is ``[choices]``. A node that nothing flows to is zero.
        """
        values = {0: x}
        for edge, (source, target) in enumerate(self.edges):
            of_edge = self.operations[edge]
            assert isinstance(of_edge, nn.ModuleDict)
            for choice, operation in of_edge.items():
                if source in values and (chosen is None or int(chosen[edge]) == int(choice)):
                    computed = gates[edge][int(choice)] * operation(values[source])
                    values[target] = values[target] + computed if target in values else computed
        return values.get(self.edges[-1][1], torch.zeros_like(x))

    def forward(self, x: Tensor, path: Sequence[int]) -> Tensor:
        """Features ``[b, c, h, w]`` through the path's operations; the shape stays."""
        return flow(x, self.edges, self.chosen(path))


class CellSupernet(Supernet):
    """Stem, stages of mixed cells with the residual blocks between them, head. A subnet is a choice for every edge.

    All cells of a subnet make the same choices, each with weights of its own. Dead operations are not computed, so that
    subnets compute what their stand-alone networks do.
    """

    def __init__(self, space: NasBench201, generator: torch.Generator) -> None:
        super().__init__(space.input_shape[-1])
        self.stem = space.make_stem()
        blocks: list[nn.Module] = []
        for index, stage in enumerate(space.stages):
            reduction = space.make_reduction(index)
            blocks += [] if reduction is None else [reduction]
            blocks += [_mixed_cell(space, index) for _ in range(stage.depth)]
        self.blocks = nn.ModuleList(blocks)
        self.head = space.make_head()
        self._cells = (space.cells.nodes, space.cells.operations)
        initialise(self, generator)

    def live(self, choices: Sequence[int]) -> tuple[int, ...]:
        """The path with none in the place of dead operations."""
        pruned = edge_cells(*self._cells).prune(np.array([choices], dtype=np.int8))
        return tuple(pruned[0].tolist())

    def parts(self, choices: Sequence[int]) -> list[nn.Module]:
        """The modules that one architecture computes with, from the stem to the head (not copied)."""
        live = self.live(choices)
        parts: list[nn.Module] = [self.stem]
        for block in self.blocks:
            parts += block.chosen(live).values() if isinstance(block, MixedCell) else [block]
        return [*parts, self.head]

    def forward(self, images: Tensor, choices: Sequence[int]) -> Tensor:
        """Images ``[b, c, h, w]`` to logits ``[b, classes]`` along one path."""
        live = self.live(choices)
        x = self.stem(images)
        for block in self.blocks:
            x = block(x, live) if isinstance(block, MixedCell) else block(x)
        logits: Tensor = self.head(x)
        return logits

    def mixed(self, images: Tensor, gates: Sequence[Tensor], chosen: Sequence[int] | None = None) -> Tensor:
        """Images to logits along all paths at once, or along the chosen one (``Supernet.mixed``); none gives zeros."""
        x = self.stem(images)
        for block in self.blocks:
            x = block.mixed(x, gates, chosen) if isinstance(block, MixedCell) else block(x)
        logits: Tensor = self.head(x)
        return logits

    def extract(self, choices: Sequence[int]) -> Chain:
        """The subnet alone: a deep copy of the path's weights and statistics, with the same logits."""
        live = self.live(choices)
        blocks = [
            EdgeCell(block.edges, block.chosen(live)) if isinstance(block, MixedCell) else block
            for block in self.blocks
        ]
        return copy.deepcopy(Chain(self.stem, blocks, self.head))


def _mixed_cell(space: NasBench201, stage: int) -> MixedCell:
    choices = [choice for choice in range(len(space.operations)) if choice != NONE]
    operations = [{choice: space.make_operation(stage, choice) for choice in choices} for _ in space.cells.edges]
    return MixedCell(space.cells.edges, operations)
