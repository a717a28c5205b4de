"""The computation graph of an ONNX file, by ONNX's shape inference: nothing of it runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

from archatlas.errors import ArchatlasError
from archatlas.graphs.aten_operators import AtenCall, add_call
from archatlas.graphs.computation import ComputationGraph
from archatlas.graphs.graph_builder import GraphBuilder, Params, Shape, convolution_macs, known_channels, two
from archatlas.graphs.onnx_composites import composed
from archatlas.graphs.onnx_loading import channels_first, first_line, load_with_shapes, small_constants
from archatlas.graphs.onnx_operators import (
    CONSTANTS,
    CONVOLUTIONS,
    IN_STEPS,
    NUMBERS,
    OPERATOR_OF,
    PRODUCTS,
    QUANTISED,
    RECURRENT,
    VIEWS,
)

_FLOAT = 1
_OF_WEIGHTS = frozenset((_FLOAT, 10, 11, 14, 15, 16, 2, 3, 17, 18, 19, 20, 21, 22, 23, 25, 26, 27, 28))
"""Types of numbers (``TensorProto.DataType``): float32, float16, float64, complex64, complex128, bfloat16; all of 8
bits and less, but for that of scales (24)."""
_OF_DAMAGE = (KeyError, IndexError, TypeError, ValueError, ZeroDivisionError)
"""What files that are damaged, or with shapes that nobody knows, lead to."""


def read_onnx(path: Path, input_shape: Sequence[int] | None = None) -> ComputationGraph:
    """What the file computes for one image.

    Parameters are the constants of floating point (or quantised) with more than one number that operators compute with:
    not running statistics, scales and zero points, but a module's buffers are among them. Batch norms that the exporter
    has folded into convolutions are not there, so compare ``deployed`` graphs.

    Args:
        path: the file.
        input_shape: without the batch axis, channels first whatever the file has; needed where it leaves it open.

    Raises:
        ArchatlasError: the file is damaged, takes other inputs, or holds operators whose results' shapes nobody knows.
    """
    try:
        return _read(path, input_shape, input_shape)
    except _OtherChannelsError:
        if input_shape is None or len(input_shape) != 3:
            raise
        channels, *sides = input_shape
        try:  # A file that leaves all axes open does not say where channels are.
            return _read(path, (*sides, channels), input_shape)
        except ArchatlasError:
            pass
        raise


def _read(path: Path, own: Sequence[int] | None, input_shape: Sequence[int] | None) -> ComputationGraph:
    """The graph for images of a shape in the file's ``own`` order; ``input_shape`` is the same, channels first."""
    model, shape = load_with_shapes(path, own)
    return _Reader(model, path.name, shape, input_shape).read()


class _OtherChannelsError(ArchatlasError):
    """A convolution is handed other channels than its weights are for, which ONNX's inference does not look at."""


class _Reader:
    """Goes through the operators in order and adds each to the graph."""

    def __init__(self, model: Any, name: str, shape: Shape, input_shape: Shape | None) -> None:
        graph = model.graph
        image, *large = graph.input
        self.name = name
        self.outputs = [value.name for value in graph.output]
        self.node_of: dict[str, int] = {image.name: 0}
        self.shapes: dict[str, tuple[int, ...]] = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
        for value in (*graph.input, *graph.value_info, *graph.output):
            known = _shape(value)
            if known is not None:
                self.shapes[value.name] = known
        if input_shape is None and _is_turned(graph.node, image.name, self.shapes):
            self.builder = GraphBuilder((shape[0], shape[3], *shape[1:3]))
        else:
            self.builder = GraphBuilder(channels_first(shape if input_shape is None else (shape[0], *input_shape)))
        opset = max((named.version for named in model.opset_import if not named.domain), default=0)
        try:
            self.values = small_constants(graph)
            self.nodes = composed(graph.node, image.name, self.outputs, opset, self.shapes, self.values)
        except _OF_DAMAGE as error:
            raise ArchatlasError(f"{name} is damaged: {first_line(error)}") from error
        self.quantised = {
            node.input[QUANTISED[node.op_type]]
            for node in self.nodes
            if node.op_type in QUANTISED and len(node.input) > QUANTISED[node.op_type]
        }
        self.scales: set[str] = set()
        """What is computed of the scale that an image's numbers have."""
        self.numel: dict[str, int] = {}
        self.waiting: dict[str, frozenset[str]] = {}
        """Of constants: the parameters that they were made of."""
        for tensor in graph.initializer:
            self._keep(tensor.name, tensor.data_type)
        for value in large:
            self._keep(value.name, value.type.tensor_type.elem_type)

    def read(self) -> ComputationGraph:
        for node in self.nodes:
            try:
                self._read_node(node)
            except _OF_DAMAGE as error:
                raise ArchatlasError(
                    f"{self.name} is damaged, or the shapes at its operator {node.op_type} are not known without "
                    f"running it: {first_line(error)}. onnx-simplifier, or an export with another opset, may help"
                ) from error
        outputs = [self.node_of[output] for output in self.outputs if output in self.node_of]
        if not outputs:
            raise ArchatlasError(f"what {self.name} computes does not depend on its input: there is no graph of it")
        return self.builder.graph(outputs)

    def _keep(self, name: str, kind: int) -> None:
        """A constant of this type is a parameter, if it may be one."""
        self.numel[name] = prod(self.shapes.get(name, ()))
        if self.numel[name] > 1 and (kind in _OF_WEIGHTS or name in self.quantised):
            self.waiting[name] = frozenset([name])

    def _read_node(self, node: Any) -> None:
        reads = [value for value in node.input if value]
        # What is moved or renamed is input 0: where to, and as what, others may say.
        numbers = node.input[:1] if node.op_type in VIEWS else reads
        if node.op_type in CONSTANTS or not any(value in self.node_of for value in numbers):
            self._constant(node)
            return
        made = self._add(node, reads)
        outputs = [output for output in node.output if output]
        if node.op_type == "DynamicQuantizeLinear":
            self.scales.update(outputs[1:])
            outputs = outputs[:1]
        for index, output in enumerate(outputs):
            self.node_of[output] = self.builder.result(made) if index else made

    def _constant(self, node: Any) -> None:
        """A constant holds the parameters that it was made of."""
        if node.op_type == "Constant":
            for attribute in node.attribute:
                if attribute.HasField("t"):
                    output, tensor = node.output[0], attribute.t
                    self.shapes[output] = tuple(tensor.dims)
                    self._keep(output, tensor.data_type)
                elif attribute.name == "value_floats":
                    output = node.output[0]
                    self.shapes[output] = (len(attribute.floats),)
                    self._keep(output, _FLOAT)
        elif node.op_type not in CONSTANTS:
            if not self.scales.isdisjoint(node.input):
                self.scales.update(node.output)
            elif held := self._held(_numbers(node)):
                self.waiting.update((output, held) for output in node.output)

    def _held(self, values: Iterable[str]) -> frozenset[str]:
        """The parameters that constants among these values were made of."""
        return frozenset().union(*(self.waiting.get(value, frozenset()) for value in values))

    def _params(self, values: Iterable[str]) -> Params:
        return {value: self.numel[value] for value in self._held(values)}

    def _add(self, node: Any, reads: list[str]) -> int:
        inputs = [self.node_of[value] for value in reads if value in self.node_of]
        if node.op_type in VIEWS:
            return inputs[0]
        given = self.shapes[next(value for value in reads if value in self.node_of)]
        made = self.shapes[next(value for value in node.output if value)]
        attributes = {attribute.name: attribute for attribute in node.attribute}
        if node.op_type == "Attention":
            return self._add_attention(node, attributes)
        if node.op_type in IN_STEPS and inputs == [self.node_of.get(node.input[0])]:
            return self._add_steps(node, attributes, inputs[0], given)
        params = self._params(_numbers(node))
        if node.op_type in CONVOLUTIONS:
            return self._add_convolution(node, attributes, inputs, made, params)
        if node.op_type in PRODUCTS:
            return self._add_product(node, attributes, inputs, made, params)
        if node.op_type == "Where" and len(inputs) == 1 and not params:  # A constant mask of one tensor.
            return inputs[0]
        operator = OPERATOR_OF.get(node.op_type, "other")
        if node.op_type == "Gather" and prod(self.shapes.get(node.input[1], (0,))) == 1:
            operator = "slice"
        macs = 0
        if node.op_type == "Einsum":
            macs = _einsum_macs(attributes, [self.shapes[value] for value in reads])
            operator = ("matmul" if len(inputs) > 1 else "linear") if macs else "reduce"
            if not macs and prod(given) == prod(made):  # Axes of one tensor in another order.
                return inputs[0]
        elif node.op_type in RECURRENT:
            macs = self._recurrent_macs(node)
        pooled = node.op_type in ("MaxPool", "AveragePool", "LpPool")
        return self.builder.add(
            operator,
            inputs,
            given,
            made,
            channels=known_channels(operator, given, made),
            kernel=two(attributes["kernel_shape"].ints) if pooled else (1, 1),
            stride=two(attributes["strides"].ints) if pooled and "strides" in attributes else (1, 1),
            params=params,
            macs=macs,
        )

    def _add_steps(self, node: Any, attributes: dict[str, Any], read: int, shape: tuple[int, ...]) -> int:
        """An operator that PyTorch takes apart, in the steps that are recorded of it."""

        def add(name: str, *before: int, given: Shape = shape, made: Shape = shape, **more: Any) -> int:
            return add_call(self.builder, AtenCall(name, [(given, one) for one in before], made, **more))

        if node.op_type == "Softsign":
            return add("div", read, add("abs", read))
        if node.op_type == "LRN":  # Over neighbouring channels, which are an axis of their own while it is averaged.
            size, (batch, channels, *sides) = attributes["size"].i, shape
            apart = (batch, 1, channels, *sides)
            padded = (batch, 1, channels + size - 1, *sides)
            found = add("constant_pad_nd", add("mul", read, read), given=apart, made=padded)
            kernel = (size, *[1] * len(sides))
            found = add("avg_pool3d", found, given=padded, made=apart, kernel=kernel, stride=[1])
            return add("div", read, add("pow", found))
        first = attributes["axis"].i % len(shape) if "axis" in attributes else len(shape) - 1
        means = (*shape[:first], *[1] * (len(shape) - first))
        found = add("mean", add("pow", read), made=means)
        found = add("mul", read, add("rsqrt", found, given=means, made=means))
        return add("mul", found, params=self._params(node.input))

    def _recurrent_macs(self, node: Any) -> int:
        """At each step, in each direction: weights of all gates by what is read, and by the state.

        Steps are those that the file says of each sequence of the batch, or else all.
        """
        read, weight, state = (self.shapes[value] for value in node.input[:3])
        lengths = self.values.get(node.input[4]) if len(node.input) > 4 else None
        layouts = [attribute.i for attribute in node.attribute if attribute.name == "layout"]
        most = read[1 if layouts == [1] else 0]
        steps = prod(read[:2]) if lengths is None else int(lengths.clip(0, most).sum())
        return steps * prod(weight[:2]) * (weight[2] + state[2])

    def _add_convolution(
        self, node: Any, attributes: dict[str, Any], inputs: list[int], made: Shape, params: Params
    ) -> int:
        given, weight = self.shapes[node.input[0]], self.shapes[node.input[CONVOLUTIONS[node.op_type]]]
        transposed = node.op_type == "ConvTranspose"
        groups = attributes["group"].i if "group" in attributes else 1
        expected = weight[0] if transposed else weight[1] * groups
        if given[1] != expected:
            raise _OtherChannelsError(
                f"{self.name}: the weights of a convolution are for {expected} channels, but it is handed {given[1]}: "
                "say which images the network takes, channels first (`--input CxHxW`)"
            )
        last = {"QLinearConv": 8, "ConvInteger": 99, "DeformConv": 3}.get(node.op_type, 2)
        return self.builder.add(
            "transposed_convolution" if transposed else "convolution",
            inputs,
            given,
            made,
            channels=(given[1], made[1]),
            kernel=two(weight[2:]),
            stride=two(attributes["strides"].ints) if "strides" in attributes else (1, 1),
            groups=groups,
            bias=len(node.input) > last and bool(node.input[last]),
            params=params,
            macs=convolution_macs(given, weight, made, transposed),
        )

    def _add_product(
        self, node: Any, attributes: dict[str, Any], inputs: list[int], made: Shape, params: Params
    ) -> int:
        left, right = node.input[0], node.input[PRODUCTS[node.op_type]]
        linear = left not in self.node_of or right not in self.node_of
        turned = "transA" in attributes and attributes["transA"].i
        inner = self.shapes[left][0 if turned else -1]
        from_right = left not in self.node_of
        axis = -2 if from_right and len(self.shapes[right]) > 1 else -1
        by_vector = len(self.shapes[left if from_right else right]) == 1  # It has no axis in what is made.
        return self.builder.add(
            "linear" if linear else "matmul",
            inputs,
            self.shapes[right if from_right else left],
            made,
            channels=(inner, 1 if by_vector else made[axis]),
            bias=linear and node.op_type == "Gemm" and len(node.input) > 2 and bool(node.input[2]),
            params=params,
            macs=prod(made) * inner,
        )

    def _add_attention(self, node: Any, attributes: dict[str, Any]) -> int:
        """Queries by keys, plus a mask, a softmax, by values: as PyTorch's operator is recorded."""
        query, key, value, *more = node.input
        heads = [attributes[name].i if name in attributes else 0 for name in ("q_num_heads", "kv_num_heads")]
        queries, values = _by_heads(self.shapes[query], heads[0]), _by_heads(self.shapes[value], heads[1])
        scores = (*queries[:3], values[2])

        def add(operator: str, before: list[int], reads: list[str], given: Shape, made: Shape, inner: int = 0) -> int:
            inputs = before + [self.node_of[one] for one in reads if one in self.node_of]
            return self.builder.add(
                "linear" if inner and len(inputs) < 2 else operator,
                inputs,
                given,
                made,
                channels=(inner, made[-1]) if inner else None,
                params=self._params(reads),
                macs=prod(made) * inner,
            )

        met = add("matmul", [], [query, key], queries, scores, queries[3])
        met = add("add", [met], more[:1], scores, scores)
        met = add("softmax", [met], [], scores, scores)
        return add("matmul", [met], [value], scores, (*queries[:3], values[3]), values[2])


def _by_heads(shape: tuple[int, ...], heads: int) -> tuple[int, ...]:
    """``[batch, heads, tokens, width]`` of attention's input, which may hold all heads in its last axis."""
    return shape if len(shape) == 4 else (shape[0], heads, shape[1], shape[2] // heads)


def _is_turned(nodes: Iterable[Any], image: str, shapes: Mapping[str, Shape]) -> bool:
    """Whether the first operator that moves an image's numbers puts its last axis behind that of the batch.

    What is before it keeps the image's shape, as scaling its numbers does.
    """
    found = {image}
    for node in nodes:
        if found.isdisjoint(node.input):
            continue
        if node.op_type == "Transpose":
            return len(shapes[image]) == 4 and any(list(attribute.ints) == [0, 3, 1, 2] for attribute in node.attribute)
        if shapes.get(next(iter(node.output), "")) != shapes[image]:
            return False
        found.update(node.output)
    return False


def _numbers(node: Any) -> list[str]:
    """What an operator computes with, of what it reads."""
    places = NUMBERS.get(node.op_type, range(len(node.input)))
    return [node.input[place] for place in places if place < len(node.input)]


def _einsum_macs(attributes: dict[str, Any], shapes: list[tuple[int, ...]]) -> int:
    """The product of the lengths of all axes, as a loop over them all would do; none without a sum."""
    read = attributes["equation"].s.decode().replace(" ", "").partition("->")[0].split(",")
    lengths: dict[str | int, int] = {}
    for letters, shape in zip(read, shapes, strict=True):
        before, dots, after = letters.partition("...")
        # What dots stand for is aligned at its end, and of length 1 where it is repeated.
        dotted = range(len(before) + len(after) - len(shape), 0) if dots else ()
        for axis, size in zip((*before, *dotted, *after), shape, strict=True):
            lengths[axis] = max(size, lengths.get(axis, 1))
    return prod(lengths.values()) if len(read) > 1 else 0


def _shape(value: Any) -> tuple[int, ...] | None:
    """The shape that is known of a value; None if a length is not."""
    kind = value.type.tensor_type
    if not kind.HasField("shape"):
        return None
    lengths = tuple(dim.dim_value if dim.HasField("dim_value") else -1 for dim in kind.shape.dim)
    return lengths if all(length >= 0 for length in lengths) else None
