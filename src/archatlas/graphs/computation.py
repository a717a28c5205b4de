"""What a network computes, in primitive operators: one graph for a module, an ONNX file or a member of any space.

Han et al. (SDM 2023, arXiv 2302.10835) and GENNAPE (arXiv 2211.17226) describe networks of all spaces by such graphs.
The operators and the normal form are ours: what only moves or renames numbers (views, copies, casts) is no node, nor is
adding or multiplying by a number, and what does not depend on the input is a constant of the node that reads it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
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
"""Names of operators; a node holds the index. ``clip`` is ReLU6, too; ``leaky_relu`` also PReLU and ELU; ``tanh`` also
erf; ``add`` also subtraction, ``multiply`` division; ``power`` also roots, exp and log; ``reduce`` sums, norms and means
that are not over all places; ``slice`` splits; ``unfold`` also its inverse; ``gather`` lookups, shifts, sorting;
``fill`` what has the input's shape and none of its numbers."""

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

Shape = Sequence[int]
_GATED = {"sigmoid": "silu", "hard_sigmoid": "hard_swish", "clip": "hard_swish", "tanh": "gelu"}
"""What multiplying a tensor by this function of itself is."""
_WEIGHTED = ("convolution", "transposed_convolution", "linear")


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
        return convolution & (groups > 1) & (groups == self.nodes["channels_in"])

    def count(self, operator: str) -> int:
        """How many nodes have this operator."""
        return int((self.nodes["operator"] == INDEX[operator]).sum())


class GraphBuilder:
    """Adds operators one after the other; ``graph`` then gives their normal form."""

    def __init__(self, input_shape: Shape) -> None:
        """``input_shape``: with the batch axis; places and MACs are divided by its length."""
        self._batch = input_shape[0]
        channels, places = self._layout(input_shape, input_shape[1] if len(input_shape) > 1 else 1)
        self._rows: list[tuple[Any, ...]] = []
        self._inputs: list[tuple[int, ...]] = []
        self._append("input", (), (channels, channels), (places, places))

    def add(
        self,
        operator: str,
        inputs: Sequence[int],
        input_shape: Shape,
        output_shape: Shape,
        *,
        channels: tuple[int, int] | None = None,
        kernel: tuple[int, int] = (1, 1),
        stride: tuple[int, int] = (1, 1),
        groups: int = 1,
        bias: bool = False,
        params: int = 0,
        macs: int = 0,
    ) -> int:
        """The index of the node that computes this: a new one, or what it reads where nothing is computed.

        Args:
            operator: one of ``OPERATORS``, or ``mean``, over whatever axes.
            inputs: nodes that it reads, once for each time that it reads them; at least one.
            input_shape: of the first tensor read, with the batch axis.
            output_shape: of its (first) result.
            channels: read and written, where the operator says which axis they are; otherwise those of the first node
                read, as long as an axis has this length.
            kernel: height and width.
            stride: height and width.
            groups: of a convolution.
            bias: whether it has one.
            params: parameters that are read here first.
            macs: of the batch.
        """
        if len(inputs) == 1 and not params and operator in ("add", "multiply", "concat"):
            return inputs[0]
        before = self._rows[inputs[0]][2]
        inward, outward = channels or (_channels(input_shape, before), _channels(output_shape, before))
        (inward, places_in), (outward, places_out) = (
            self._layout(input_shape, inward),
            self._layout(output_shape, outward),
        )
        if operator == "slice" and places_in * inward == places_out * outward:
            return inputs[0]
        if operator in ("mean", "average_pool") and inward == outward and places_out == 1 < places_in:
            operator, kernel, stride = "global_average_pool", (1, 1), (1, 1)
        if operator == "mean":
            operator = "reduce"
        rest = (*kernel, *stride, groups, bias, params, macs // self._batch)
        return self._append(operator, tuple(inputs), (inward, outward), (places_in, places_out), *rest)

    def _layout(self, shape: Shape, channels: int) -> tuple[int, int]:
        """Channels, and numbers per channel of one image."""
        return channels, prod(shape) // max(channels * self._batch, 1)

    def _append(
        self, operator: str, inputs: tuple[int, ...], channels: tuple[int, int], places: tuple[int, int], *rest: int
    ) -> int:
        self._rows.append((INDEX[operator], *channels, *places, *(rest or (1, 1, 1, 1, 1, False, 0, 0))))
        self._inputs.append(inputs)
        return len(self._rows) - 1

    def graph(self, outputs: Sequence[int]) -> ComputationGraph:
        """What these nodes are computed by.

        A tensor times its own sigmoid is a SiLU, and so on, however written; a vector added to what a matrix product or
        convolution alone gives is its bias.
        """
        rows, inputs = list(self._rows), list(self._inputs)
        readers = [0] * len(rows)
        for read in inputs:
            for node in set(read):
                readers[node] += 1
        for node in outputs:
            readers[node] += 1  # What is given out is read by others, too.
        for node, read in enumerate(inputs):
            gate = _gate(rows, inputs, readers, node)
            if gate is not None:
                rows[node] = (INDEX[_GATED[OPERATORS[rows[gate][0]]]], *rows[node][1:])
                inputs[node] = tuple(other for other in read if other != gate)
            elif _is_bias(rows, inputs, readers, node):
                # The sum takes the place of the product, and reads what that read.
                (product,) = read
                rows[node] = (
                    *rows[product][:_BIAS],
                    True,
                    rows[product][_BIAS + 1] + rows[node][_BIAS + 1],
                    rows[product][-1],
                )
                inputs[node] = inputs[product]
        alive = _reached(inputs, outputs)
        position = {old: new for new, old in enumerate(alive)}
        pairs = [(position[source], position[node]) for node in alive for source in sorted(set(inputs[node]))]
        return ComputationGraph(
            nodes=np.array([rows[node] for node in alive], dtype=NODE),
            edges=np.array(pairs, dtype=np.int32).reshape(-1, 2).T.copy(),
        )


_Rows = list[tuple[Any, ...]]
_BIAS = (NODE.names or ()).index("bias")


def _gate(rows: _Rows, inputs: list[tuple[int, ...]], readers: list[int], node: int) -> int | None:
    """The node of ``x``'s function, where ``node`` multiplies it by ``x`` and nothing else reads it."""
    if rows[node][0] != INDEX["multiply"] or len(inputs[node]) != 2:
        return None
    for gate, gated in (inputs[node], inputs[node][::-1]):
        if readers[gate] == 1 and OPERATORS[rows[gate][0]] in _GATED and inputs[gate] == (gated,):
            return gate
    return None


def _is_bias(rows: _Rows, inputs: list[tuple[int, ...]], readers: list[int], node: int) -> bool:
    """Whether ``node`` adds a number for each channel to a product without a bias that nothing else reads."""
    if rows[node][0] != INDEX["add"] or len(inputs[node]) != 1:
        return False
    product = rows[inputs[node][0]]
    weighted = OPERATORS[product[0]] in _WEIGHTED and not product[_BIAS] and readers[inputs[node][0]] == 1
    return weighted and rows[node][_BIAS + 1] == product[2]


def _reached(inputs: list[tuple[int, ...]], outputs: Sequence[int]) -> list[int]:
    """Nodes that the outputs depend on, and the input, ascending."""
    found, waiting = {0}, list(outputs)
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting.extend(inputs[node])
    return sorted(found)


def _channels(shape: Shape, before: int) -> int:
    """The length of the axis of channels, by what the tensor came from; else axis 1 of maps and the last of tokens."""
    if before in shape[1:]:
        return before
    if not shape:
        return 1
    return int(shape[1] if len(shape) >= 4 else shape[-1])


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
    weighted = np.isin(kind, [INDEX[name] for name in _WEIGHTED])
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
