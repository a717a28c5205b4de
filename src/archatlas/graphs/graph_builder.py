"""Operators that are added one after the other, in the normal form of computation graphs."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from archatlas.graphs.computation import INDEX, NODE, OPERATORS, WEIGHTED, ComputationGraph

Shape = Sequence[int]
Params = Mapping[Hashable, int]
"""Parameters by what tells them from others, and how many numbers each holds."""

_NO_PARAMS: Params = {}

_GATED = {"sigmoid": "silu", "hard_sigmoid": "hard_swish", "clip": "hard_swish", "tanh": "gelu"}
"""What multiplying a tensor by this function of itself is."""


class GraphBuilder:
    """Adds operators one after the other; ``graph`` then gives their normal form."""

    def __init__(self, input_shape: Shape) -> None:
        """``input_shape``: with the batch axis; places and MACs are divided by its length."""
        self._batch = input_shape[0]
        channels, places = self._layout(input_shape, input_shape[1] if len(input_shape) > 1 else 1)
        self._rows: list[tuple[Any, ...]] = []
        self._inputs: list[tuple[int, ...]] = []
        self._params: list[Params] = []
        self._whole: dict[int, int] = {}
        """Of further results of a node: the node."""
        self._append("input", (), (channels, channels), (places, places), _NO_PARAMS)

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
        params: Params = _NO_PARAMS,
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
            params: that are read here, whoever else reads them.
            macs: of the batch.
        """
        if len(inputs) == 1 and not params and operator in ("add", "multiply", "concat"):
            if operator != "concat" or prod(input_shape) == prod(output_shape):
                return inputs[0]
            operator = "pad"  # By constants.
        inward, outward = channels or _channels(input_shape, output_shape, self._rows[inputs[0]][2])
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
        rest = (*kernel, *stride, groups, bias, 0, macs // self._batch)
        return self._append(operator, tuple(inputs), (inward, outward), (places_in, places_out), params, *rest)

    def result(self, node: int) -> int:
        """A further result of the node, which counts as the node: parts of a slice are not the same numbers."""
        if self._rows[node][0] != INDEX["slice"]:
            return node
        self._rows.append(self._rows[node])
        self._inputs.append(())
        self._params.append(_NO_PARAMS)
        self._whole[len(self._rows) - 1] = self._whole.get(node, node)
        return len(self._rows) - 1

    def _layout(self, shape: Shape, channels: int) -> tuple[int, int]:
        """Channels, and numbers per channel of one image."""
        return channels, prod(shape) // max(channels * self._batch, 1)

    def _append(
        self,
        operator: str,
        inputs: tuple[int, ...],
        channels: tuple[int, int],
        places: tuple[int, int],
        params: Params,
        *rest: int,
    ) -> int:
        self._rows.append((INDEX[operator], *channels, *places, *(rest or (1, 1, 1, 1, 1, False, 0, 0))))
        self._inputs.append(inputs)
        self._params.append(params)
        return len(self._rows) - 1

    def graph(self, outputs: Sequence[int]) -> ComputationGraph:
        """What these nodes are computed by.

        A tensor times its own sigmoid is a SiLU, and so on, however written; what chooses between a tensor and others
        by comparing that tensor is one clip; a vector added to what a matrix product or convolution alone gives is its
        bias. A parameter counts where it is read first.
        """
        rows, inputs, params = list(self._rows), list(self._inputs), list(self._params)
        readers = [0] * len(rows)
        for read in inputs:
            for node in set(read):
                readers[node] += 1
        for node in outputs:
            readers[node] += 1  # What is given out is read by others, too.
        for node, read in enumerate(inputs):
            gate = _gate(rows, inputs, readers, node)
            if gate is not None:
                # Mish's tanh is of a function of the tensor, and not of the tensor.
                kind = _GATED[OPERATORS[rows[gate][0]]] if inputs[gate][0] in read else "silu"
                rows[node] = (INDEX[kind], *rows[node][1:])
                params[node] = {**params[gate], **params[node]}
                inputs[node] = tuple(other for other in read if other != gate)
            elif (compared := _comparison(rows, inputs, readers, node)) is not None:
                inputs[node] = tuple(other for other in read if other != compared)
                params[node] = {**params[compared], **params[node]}
            elif _is_bias(rows, inputs, params, readers, node):
                # The sum takes the place of the product, and reads what that read.
                (product,) = read
                rows[node] = (*rows[product][:_BIAS], True, *rows[product][_BIAS + 1 :])
                params[node] = {**params[product], **params[node]}
                inputs[node] = inputs[product]
        inputs = [tuple(self._whole.get(node, node) for node in read) for read in inputs]
        alive = _reached(inputs, [self._whole.get(node, node) for node in outputs])
        position = {old: new for new, old in enumerate(alive)}
        pairs = [(position[source], position[node]) for node in alive for source in sorted(set(inputs[node]))]
        nodes = np.array([rows[node] for node in alive], dtype=NODE)
        nodes["params"] = _read_first([params[node] for node in alive])
        return ComputationGraph(
            nodes=nodes,
            edges=np.array(pairs, dtype=np.int32).reshape(-1, 2).T.copy(),
        )


_Rows = list[tuple[Any, ...]]
_BIAS = (NODE.names or ()).index("bias")


def _gate(rows: _Rows, inputs: list[tuple[int, ...]], readers: list[int], node: int) -> int | None:
    """The node of ``x``'s function, where ``node`` multiplies it by ``x`` and nothing else reads it."""
    if rows[node][0] != INDEX["multiply"] or len(inputs[node]) != 2:
        return None
    for gate, gated in (inputs[node], inputs[node][::-1]):
        of_itself = inputs[gate] == (gated,) or _is_mish(rows, inputs, readers, gate, gated)
        if of_itself and readers[gate] == 1 and OPERATORS[rows[gate][0]] in _GATED:
            return gate
    return None


def _is_mish(rows: _Rows, inputs: list[tuple[int, ...]], readers: list[int], gate: int, gated: int) -> bool:
    """Whether the gate is the tanh of the softplus of ``gated``, and nothing else reads that."""
    if rows[gate][0] != INDEX["tanh"] or len(inputs[gate]) != 1:
        return False
    (inner,) = inputs[gate]
    return rows[inner][0] == INDEX["sigmoid"] and readers[inner] == 1 and inputs[inner] == (gated,)


def _comparison(rows: _Rows, inputs: list[tuple[int, ...]], readers: list[int], node: int) -> int | None:
    """The node that compares ``x``, where ``node`` chooses between ``x`` and others by it and nothing else reads it."""
    clip = INDEX["clip"]
    for one in inputs[node] if rows[node][0] == clip else ():
        if rows[one][0] == clip and readers[one] == 1 and set(inputs[one]) <= set(inputs[node]) - {one}:
            return one
    return None


def _is_bias(rows: _Rows, inputs: list[tuple[int, ...]], params: list[Params], readers: list[int], node: int) -> bool:
    """Whether ``node`` adds a number for each channel to a product without a bias that nothing else reads."""
    if rows[node][0] != INDEX["add"] or len(inputs[node]) != 1:
        return False
    product = rows[inputs[node][0]]
    weighted = OPERATORS[product[0]] in WEIGHTED and not product[_BIAS] and readers[inputs[node][0]] == 1
    return weighted and sum(params[node].values()) == product[2]


def _read_first(params: list[Params]) -> list[int]:
    """How many numbers each node reads in parameters that none before it has read."""
    counted: set[Hashable] = set()
    found = []
    for read in params:
        found.append(sum(numel for one, numel in read.items() if one not in counted))
        counted.update(read)
    return found


def _reached(inputs: list[tuple[int, ...]], outputs: Sequence[int]) -> list[int]:
    """Nodes that the outputs depend on, and the input, ascending."""
    found, waiting = {0}, list(outputs)
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting.extend(inputs[node])
    return sorted(found)


def _channels(given: Shape, made: Shape, before: int) -> tuple[int, int]:
    """Channels read and written: an operator that keeps the number of axes keeps their meaning, too."""
    axis = _axis_of_channels(given, before)
    kept = axis if len(made) == len(given) else _axis_of_channels(made, before)
    return int(given[axis]) if given else 1, int(made[kept]) if made else 1


def _axis_of_channels(shape: Shape, before: int) -> int:
    """The axis as long as those of what the tensor came from; else axis 1 of maps and the last of tokens.

    Where several are, as with 32 channels on 32 x 32, it is axis 1 of maps before the last, and these before others.
    """
    others = range(1, len(shape) - 1)
    order: list[int] = [1, -1, *others] if len(shape) >= 4 else [-1, *others]
    return next((axis for axis in order if shape and shape[axis] == before), order[0])


def convolution_macs(input_shape: Shape, weight: Shape, output_shape: Shape, transposed: bool) -> int:
    """Each number of the output meets one filter's weights; each of the input, if the convolution is transposed."""
    return prod(input_shape if transposed else output_shape) * prod(weight[1:])


def known_channels(operator: str, given: Shape, made: Shape) -> tuple[int, int] | None:
    """Channels read and written, where the operator works along an axis that says so."""
    if operator == "layer_norm":
        return given[-1], made[-1]
    maps = operator in ("group_norm", "max_pool", "average_pool", "upsample") and min(len(given), len(made)) >= 4
    return (given[1], made[1]) if maps or operator == "batch_norm" else None


def two(sizes: Sequence[int]) -> tuple[int, int]:
    """Height and width of a kernel or stride for 1, 2 or 3 axes; 1 x 1 for none."""
    if len(sizes) == 1:
        return int(sizes[0]), int(sizes[0])
    return (int(sizes[-2]), int(sizes[-1])) if sizes else (1, 1)
