"""Computation graphs as batches of PyTorch Geometric."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from archatlas.graphs.computation import OPERATORS, ComputationGraph

if TYPE_CHECKING:
    from torch_geometric.data import Batch, Data

_LOGARITHMS = (
    "channels_in", "channels_out", "places_in", "places_out", "kernel_height", "kernel_width", "stride_height",
    "stride_width", "groups", "params", "macs",
)  # fmt: skip

NODE_FEATURES = (*OPERATORS, *(f"log_{name}" for name in _LOGARITHMS), "depthwise", "bias")
"""What each column of ``node_features`` is: operators one-hot, logarithms of 1 + x to base 2 over 8, flags."""


def node_features(graph: ComputationGraph) -> NDArray[np.float32]:
    """``[n, f]``, in the order of ``NODE_FEATURES`` and of the order of one."""
    one_hot = np.eye(len(OPERATORS), dtype=np.float32)[graph.nodes["operator"]]
    logarithms = [np.log2(1.0 + graph.nodes[name]) / 8 for name in _LOGARITHMS]
    columns = np.stack([*logarithms, graph.depthwise, graph.nodes["bias"]], axis=1)
    return np.concatenate([one_hot, columns.astype(np.float32)], axis=1)


def graph_data(graph: ComputationGraph) -> Data:
    """One graph: ``x`` float32 ``[n, f]`` and ``edge_index`` int64 ``[2, e]``."""
    from torch_geometric.data import Data

    return Data(x=torch.from_numpy(node_features(graph)), edge_index=_edge_index(graph))


def graph_batch(graphs: Sequence[ComputationGraph]) -> Batch:
    """The graphs side by side, ``batch`` saying whose each node is."""
    from torch_geometric.data import Batch

    return Batch.from_data_list([graph_data(graph) for graph in graphs])


def _edge_index(graph: ComputationGraph) -> Tensor:
    return torch.from_numpy(graph.edges.astype(np.int64))
