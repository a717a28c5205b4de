"""What a network computes, in primitive operators: one graph for a module, an ONNX file or a member of any space.

Han et al. (SDM 2023, arXiv 2302.10835) and GENNAPE (arXiv 2211.17226) describe networks of all spaces by such graphs.
The operators and the normal form are ours: what only moves or renames numbers (views, copies, casts) is no node, nor is
adding or multiplying by a number, and what does not depend on the input is a constant of the node that reads it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

OPERATORS = (
    "input",
    "convolution",
    "transposed_convolution",
    "linear",
    "matmul",
    "batch_norm",
    "layer_norm",
    "group_norm",
    "relu",
    "clip",
    "leaky_relu",
    "gelu",
    "silu",
    "hard_swish",
    "sigmoid",
    "hard_sigmoid",
    "tanh",
    "softmax",
    "add",
    "multiply",
    "power",
    "max_pool",
    "average_pool",
    "global_average_pool",
    "reduce",
    "concat",
    "slice",
    "pad",
    "upsample",
    "unfold",
    "gather",
    "fill",
    "other",
)
"""Names of operators; a node holds the index.

``clip`` is ReLU6, too, and what compares numbers or chooses between them; ``leaky_relu`` also PReLU and ELU;
``silu`` also Mish; ``tanh`` also erf; ``add`` also subtraction, ``multiply`` division; ``power`` also roots, exp, log
and sines; ``reduce`` sums, norms, places of extremes, and means that are not over all places; ``slice`` splits;
``unfold`` also its inverse; ``gather`` lookups, shifts, sorting, and writing where indices say; ``fill`` what has the
input's shape and none of its numbers.
"""

INDEX = {name: index for index, name in enumerate(OPERATORS)}

NODE = np.dtype(
    [
        ("operator", np.int8),
        ("channels_in", np.int32),
        ("channels_out", np.int32),
        ("places_in", np.int64),
        ("places_out", np.int64),
        ("kernel_height", np.int32),
        ("kernel_width", np.int32),
        ("stride_height", np.int32),
        ("stride_width", np.int32),
        ("groups", np.int32),
        ("bias", np.bool_),
        ("params", np.int64),
        ("macs", np.int64),
    ]
)
"""Fields of a node. Places are numbers per channel (height times width, or tokens) of one image. Shapes in are those of
the first tensor that the node reads. Kernel and stride are 1 where there are none. MACs are those of one image."""

WEIGHTED = ("convolution", "transposed_convolution", "linear")
"""Operators with weights that cost MACs."""


@dataclass(frozen=True, eq=False)
class ComputationGraph:
    """``n`` operators in the order in which they run, each of them on a way to an output.

    Shapes:
        nodes: ``[n]`` of the fields ``NODE``; node 0 is the input, and the last node is an output
        edges: int32 ``[2, e]``, source and target, ordered by target, each pair once
    """

    nodes: NDArray[Any]
    edges: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.nodes)

    def __eq__(self, other: object) -> bool:
        """Node for node and edge for edge: isomorphic graphs in another order are not equal."""
        if not isinstance(other, ComputationGraph):
            return NotImplemented
        return np.array_equal(self.nodes, other.nodes) and np.array_equal(self.edges, other.edges)

    def __hash__(self) -> int:
        return hash(self.digest)

    @property
    def digest(self) -> str:
        """The SHA-256 of nodes and edges: what names a graph by its content."""
        packed = np.ascontiguousarray(self.nodes).tobytes() + b"\0" + np.ascontiguousarray(self.edges).tobytes()
        return hashlib.sha256(packed).hexdigest()

    @property
    def macs(self) -> int:
        """Multiply-accumulates of convolutions and matrix products for one image."""
        return int(self.nodes["macs"].sum())

    @property
    def params(self) -> int:
        """Parameters that the output depends on; one that several nodes read counts once."""
        return int(self.nodes["params"].sum())

    @property
    def depthwise(self) -> NDArray[np.bool_]:
        """``[n]``: convolutions with a group for each channel."""
        groups = self.nodes["groups"]
        convolution: NDArray[np.bool_] = self.nodes["operator"] == INDEX["convolution"]
        return np.asarray(convolution & (groups > 1) & (groups == self.nodes["channels_in"]))

    def count(self, operator: str) -> int:
        """How many nodes have this operator."""
        return int((self.nodes["operator"] == INDEX[operator]).sum())


def chained(graphs: Sequence[ComputationGraph]) -> ComputationGraph:
    """The graph of networks that run one after the other, each on the last node of the one before."""
    nodes, edges, last = [graphs[0].nodes[:1]], [], 0
    size = 1
    for graph in graphs:
        nodes.append(graph.nodes[1:])
        # Node 0 is what came before; all others move behind what is there.
        edges.append(np.where(graph.edges == 0, last, graph.edges + (size - 1)))
        size += len(graph) - 1
        last = size - 1 if len(graph) > 1 else last
    return ComputationGraph(np.concatenate(nodes), np.concatenate(edges, axis=1).astype(np.int32))


def deployed(graph: ComputationGraph) -> ComputationGraph:
    """The same network with each batch norm in the convolution or matrix product that it alone follows.

    It is what exporters and runtimes make of it: the convolution then has a bias, and the norm's parameters are gone.
    """
    kind, (source, target) = graph.nodes["operator"], graph.edges
    readers = np.bincount(source, minlength=len(graph))
    weighted = np.isin(kind, [INDEX[name] for name in WEIGHTED])
    joined = (kind[target] == INDEX["batch_norm"]) & weighted[source] & (readers[source] == 1)
    into, norms = source[joined], target[joined]
    nodes = graph.nodes.copy()
    nodes["params"][into] += np.where(nodes["bias"][into], 0, nodes["channels_out"][into])
    nodes["bias"][into] = True
    kept = np.ones(len(graph), dtype=np.bool_)
    kept[norms] = False
    # What read a norm reads the node before it.
    stands = np.arange(len(graph))
    stands[norms] = into
    position = np.cumsum(kept) - 1
    edges = np.stack([position[stands[source]], position[target]])[:, ~joined]
    order = np.lexsort((edges[0], edges[1]))
    return ComputationGraph(nodes[kept], edges[:, order].astype(np.int32))
