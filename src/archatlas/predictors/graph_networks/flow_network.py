"""A network that sends a state through an architecture as the architecture sends images: operations are maps."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from archatlas.encodings.flow_terms import FlowTerms
from archatlas.predictors.graph_networks.gcn_network import SparseRows

_SHALLOW = 8
"""Nodes of a graph, at most, that is no chain of many maps."""


@dataclass(frozen=True)
class FlowLevelTensors:
    """A :class:`~archatlas.encodings.flow_terms.FlowLevel` as tensors."""

    sums: SparseRows
    identities: int
    maps: Tensor
    conditions: Tensor


@dataclass(frozen=True)
class FlowTensors:
    """:class:`~archatlas.encodings.flow_terms.FlowTerms` as tensors: what a :class:`FlowEncoder` reads."""

    levels: tuple[FlowLevelTensors, ...]
    roots: Tensor

    @classmethod
    def of(cls, terms: FlowTerms) -> FlowTensors:
        levels, before = [], 2
        for level in terms.levels:
            tensors = torch.from_numpy(level.maps), torch.from_numpy(level.conditions)
            levels.append(FlowLevelTensors(SparseRows.of(level.sums, before), level.identities, *tensors))
            before += len(level.sums.offsets)
        return cls(tuple(levels), torch.from_numpy(terms.roots))


class FlowEncoder(nn.Module):
    """``members`` networks side by side: graphs to the states at both their ends.

    The state of the input is learned. A node reads the sum ``y`` of the states of its predecessors, and its state is
    ``y + s (W2 relu(W1 y + b1 + C c) + b2)``, with maps of its operation and its conditions ``c``. Identities pass on
    ``y`` alone. The second half of the maps belongs to the reversed graphs. This is how GATES (Ning et al., ECCV 2020,
    arXiv 2004.01899) sees a cell, with residual maps in the place of gates. States would grow from map to map: ``s`` is
    1 in graphs of up to 8 ``slots``, and ``(8 / slots)^3`` in deeper ones, which was found on chains of 21 blocks.
    """

    def __init__(
        self, members: int, maps: int, conditions: int, width: int, slots: int, generator: torch.Generator
    ) -> None:
        super().__init__()

        def drawn(*shape: int, fan: float) -> nn.Parameter:
            return nn.Parameter(torch.randn(*shape, generator=generator) * math.sqrt(1 / fan))

        self.start = drawn(2, members, width, fan=1)
        self.inner = drawn(2 * maps, members, width, width, fan=width / 2)
        self.inner_bias = nn.Parameter(torch.zeros(2 * maps, members, 1, width))
        self.share = min(_SHALLOW / slots, 1.0) ** 3
        self.outer = drawn(2 * maps, members, width, width, fan=2 * width)
        self.outer_bias = nn.Parameter(torch.zeros(2 * maps, members, 1, width))
        self.conditions = nn.Parameter(torch.zeros(members, conditions, width))

    def embed(self, terms: FlowTensors) -> Tensor:
        """Embeddings ``[n, members, 2 width]``."""
        states: Tensor = self.start
        for level in terms.levels:
            read = level.sums @ states
            said = read[: level.identities]
            if len(level.maps):
                said = torch.cat([said, self._mapped(read[level.identities :], level)])
            states = torch.cat([states, said])
        return torch.cat([states[terms.roots[:, 0]], states[terms.roots[:, 1]]], dim=2)

    def _mapped(self, read: Tensor, level: FlowLevelTensors) -> Tensor:
        """States ``[m k, members, width]`` of nodes that read ``read`` of the same shape."""
        count, members, width = read.shape
        grouped = read.view(len(level.maps), -1, members, width).transpose(1, 2)
        weights: list[Tensor] = [self.inner, self.inner_bias, self.outer, self.outer_bias]
        if len(level.maps) < len(self.inner):
            weights = [weight[level.maps] for weight in weights]
        inner, inner_bias, outer, outer_bias = weights
        hidden = grouped @ inner + inner_bias
        if len(self.conditions[0]):
            hidden = hidden + torch.einsum("mkc,ecw->mekw", level.conditions, self.conditions)
        added = torch.relu(hidden) @ outer + outer_bias
        return read + self.share * added.transpose(1, 2).reshape(count, members, width)
