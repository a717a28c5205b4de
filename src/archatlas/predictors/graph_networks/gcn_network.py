"""An ensemble of graph convolutional networks as one torch module: all members' weights in one tensor."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding_bag

from archatlas.encodings.node_classes import NodeClasses, WeightedSums
from archatlas.predictors.graph_networks.dropout import SeededDropout


@dataclass(frozen=True)
class SparseRows:
    """:class:`WeightedSums` as tensors, of a matrix with ``columns`` columns."""

    members: Tensor
    weights: Tensor
    offsets: Tensor
    columns: int

    @classmethod
    def of(cls, sums: WeightedSums, columns: int) -> SparseRows:
        return cls(
            torch.from_numpy(sums.members), torch.from_numpy(sums.weights), torch.from_numpy(sums.offsets), columns
        )

    @cached_property
    def transposed(self) -> SparseRows:
        rows = torch.bucketize(torch.arange(len(self.members)), self.offsets, right=True) - 1
        order = torch.argsort(self.members, stable=True)
        counts = torch.bincount(self.members, minlength=self.columns)
        return SparseRows(rows[order], self.weights[order], counts.cumsum(0) - counts, len(self.offsets))

    def __matmul__(self, dense: Tensor) -> Tensor:
        """``[rows, ...]`` from ``[columns, ...]``."""
        product: Tensor = _SparseProduct.apply(dense.reshape(len(dense), -1), self)  # type: ignore[no-untyped-call]
        return product.view(-1, *dense.shape[1:])

    def times(self, dense: Tensor) -> Tensor:
        """``[rows, k]`` from ``[columns, k]``, without a gradient."""
        return embedding_bag(self.members, dense, self.offsets, mode="sum", per_sample_weights=self.weights)


class _SparseProduct(torch.autograd.Function):
    """A product with a constant sparse matrix.

    PyTorch's own backward pass sorts the indices at every step; ours does it once.
    """

    @staticmethod
    def forward(ctx: Any, dense: Tensor, sparse: SparseRows) -> Tensor:
        ctx.sparse = sparse
        return sparse.times(dense)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return ctx.sparse.transposed.times(gradient.contiguous()), None


@dataclass(frozen=True)
class GraphTensors:
    """:class:`NodeClasses` as tensors: what a :class:`GCNEnsemble` reads."""

    features: Tensor
    along: tuple[SparseRows, ...]
    against: tuple[SparseRows, ...]
    members: SparseRows
    sizes: Tensor

    @classmethod
    def of(cls, classes: NodeClasses) -> GraphTensors:
        sizes = [len(classes.features), *(len(sums.offsets) for sums in classes.along)]
        return cls(
            torch.from_numpy(classes.features),
            tuple(SparseRows.of(sums, size) for sums, size in zip(classes.along, sizes, strict=False)),
            tuple(SparseRows.of(sums, size) for sums, size in zip(classes.against, sizes, strict=False)),
            SparseRows.of(classes.members, sizes[-1]),
            torch.from_numpy(classes.sizes),
        )


class DirectedConvolution(nn.Module):
    """``H' = (relu(N(A) H W_0 + b_0) + relu(N(A^T) H W_1 + b_1)) / 2``, ``N`` the row-normalised ``A + I``.

    The layer of Neural Predictor (Wen et al., ECCV 2020, arXiv 1912.00848, section 3.2), for ``members`` networks side
    by side.
    """

    def __init__(self, members: int, inputs: int, width: int, generator: torch.Generator) -> None:
        super().__init__()
        weight = torch.randn(2, members, inputs, width, generator=generator) * math.sqrt(2 / inputs)
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(torch.zeros(2, members, width))

    def forward(self, hidden: Tensor, along: SparseRows, against: SparseRows) -> Tensor:
        """``[u, members, inputs]`` (or ``[u, inputs]``, read by all members) to ``[u', members, width]``."""
        if hidden.ndim == 2:  # the first layer: averaging first is cheap and holds no parameters
            averaged = (along @ hidden, against @ hidden)
            here = [torch.einsum("ui,eio->ueo", averaged[d], self.weight[d]) for d in range(2)]
        else:
            # N (H W) instead of (N H) W: there are fewer classes before the layer than after it.
            sent = [torch.einsum("uei,eio->ueo", hidden, self.weight[d]) for d in range(2)]
            here = [along @ sent[0], against @ sent[1]]
        return (torch.relu(here[0] + self.bias[0]) + torch.relu(here[1] + self.bias[1])) / 2


@dataclass(frozen=True)
class ConvolutionShape:
    """What ``members`` networks of graph convolutions are like.

    Attributes:
        members: networks side by side
        inputs: features of a node
        width: channels of a convolution
        depth: convolutions
        dropout: share of the channels that is dropped in training
        pooling: over a graph's nodes
        slots: nodes of a graph before padding is taken away
    """

    members: int
    inputs: int
    width: int
    depth: int
    dropout: float
    pooling: Literal["sum", "mean"]
    slots: int

    @property
    def inputs_of_layers(self) -> list[int]:
        """How many channels each convolution reads."""
        return [self.inputs if layer == 0 else self.width for layer in range(self.depth)]


class Convolutions(nn.Module):
    """``members`` stacks of convolutions: graphs to states of their nodes' classes.

    Nodes of one class share a draw of the dropout. Graphs are pooled by the mean of their nodes, or by their sum
    (divided by ``slots``, to keep it of order one).
    """

    def __init__(self, shape: ConvolutionShape, generator: torch.Generator) -> None:
        super().__init__()
        self.shape = shape
        self.dropout = SeededDropout(shape.dropout, generator)
        self.layers = nn.ModuleList(
            DirectedConvolution(shape.members, inputs, shape.width, generator) for inputs in shape.inputs_of_layers
        )

    def states(self, graphs: GraphTensors) -> Tensor:
        """States of the classes of the last round, ``[u, members, width]``."""
        hidden = graphs.features
        for layer, along, against in zip(self.layers, graphs.along, graphs.against, strict=True):
            hidden = self.dropout(layer(hidden, along, against))
        return hidden

    def pooled(self, states: Tensor, graphs: GraphTensors) -> Tensor:
        """Graphs ``[n, ...]`` from classes ``[u, ...]``."""
        total = graphs.members @ states
        if self.shape.pooling == "mean":
            return total / graphs.sizes.view(-1, *[1] * (total.ndim - 1))
        return total / self.shape.slots

    def embed(self, graphs: GraphTensors) -> Tensor:
        """Embeddings of graphs, ``[n, members, width]``."""
        return self.pooled(self.states(graphs), graphs)


class GCNEnsemble(Convolutions):
    """``members`` GCNs: graphs to one number each.

    The read-out is linear and starts at zero, and a graph's number is that of its nodes, pooled. So what a member says
    is a sum of contributions of operations, each coloured by its surroundings, and an untrained member says nothing.
    """

    def __init__(self, shape: ConvolutionShape, generator: torch.Generator) -> None:
        super().__init__(shape, generator)
        self.read_out = nn.Parameter(torch.zeros(shape.members, shape.width))
        self.bias = nn.Parameter(torch.zeros(shape.members))

    def forward(self, graphs: GraphTensors, features: Tensor | None = None) -> Tensor:
        """Numbers ``[n, members]``; ``features`` are what other read-outs read beside the graphs."""
        said = torch.einsum("uew,ew->ue", self.states(graphs), self.read_out)
        return self.pooled(said, graphs) + self.bias
