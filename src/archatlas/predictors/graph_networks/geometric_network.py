"""Graph convolutions by PyTorch Geometric, node by node: for large and varied graphs that share no classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from archatlas.graphs.architecture_graphs import ArchitectureGraphs
from archatlas.predictors.graph_networks.dropout import SeededDropout
from archatlas.predictors.graph_networks.gcn_network import ConvolutionShape

GeometricGraphs = Any
"""A ``torch_geometric.data.Data`` of many graphs; the library has no types."""


def geometric_graphs(graphs: ArchitectureGraphs) -> GeometricGraphs:
    """All nodes inside the mask as one ``torch_geometric.data.Data``.

    Its fields are ``x``, ``edge_index``, ``batch`` (the graph of each node) and ``num_graphs``.
    """
    from torch_geometric.data import Data

    graph, node = np.nonzero(graphs.mask)
    place = np.zeros(graphs.mask.shape, dtype=np.int64)
    place[graph, node] = np.arange(len(graph))
    edge_of, source, target = np.nonzero(graphs.adjacency)
    return Data(
        x=torch.from_numpy(graphs.features[graph, node]),
        edge_index=torch.from_numpy(np.stack([place[edge_of, source], place[edge_of, target]])),
        batch=torch.from_numpy(graph),
        num_graphs=len(graphs),
    )


class GeometricEncoder(nn.Module):
    """``members`` networks of ``depth`` layers ``H' = relu(S(H) W_0 + P(H) W_1 + H W_2)``, each a module of its own.

    ``S`` is the mean of a node's successors and ``P`` that of its predecessors, zero where it has none: ``SAGEConv``
    (Hamilton et al., NIPS 2017, arXiv 1706.02216) in both directions by ``DirGNNConv`` (Rossi et al., LoG 2023, arXiv
    2305.10498), which halves both terms; biases are left out here. Graphs are pooled by the mean of their nodes, or by
    their sum (divided by ``slots``).
    """

    def __init__(self, shape: ConvolutionShape, generator: torch.Generator) -> None:
        from torch_geometric.nn import DirGNNConv, SAGEConv

        super().__init__()
        self.shape = shape
        self.dropout = SeededDropout(shape.dropout, generator)
        with torch.random.fork_rng(devices=[]):  # The layers draw their weights from the global generator.
            torch.manual_seed(int(torch.randint(2**62, (1,), generator=generator)))
            self.members = nn.ModuleList(
                nn.ModuleList(
                    DirGNNConv(SAGEConv(inputs, shape.width, root_weight=False)) for inputs in shape.inputs_of_layers
                )
                for _ in range(shape.members)
            )

    def embed(self, graphs: GeometricGraphs) -> Tensor:
        """Embeddings ``[n, members, width]``."""
        return torch.stack([self._pooled(self._states(layers, graphs), graphs) for layers in self.members], dim=1)

    def _states(self, layers: nn.Module, graphs: GeometricGraphs) -> Tensor:
        """States of all nodes by one member, ``[nodes, width]``."""
        hidden: Tensor = graphs.x
        for layer in layers.children():
            hidden = self.dropout(torch.relu(layer(hidden, graphs.edge_index)))
        return hidden

    def _pooled(self, states: Tensor, graphs: GeometricGraphs) -> Tensor:
        from torch_geometric.nn import global_add_pool, global_mean_pool

        pool = global_mean_pool if self.shape.pooling == "mean" else global_add_pool
        pooled: Tensor = pool(states, graphs.batch, size=graphs.num_graphs)
        return pooled if self.shape.pooling == "mean" else pooled / self.shape.slots
