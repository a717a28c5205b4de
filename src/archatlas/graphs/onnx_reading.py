"""The computation graph of an ONNX file, by ONNX's shape inference: nothing of it runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any

from archatlas.errors import ArchatlasError, brief
from archatlas.graphs.computation import ComputationGraph
from archatlas.graphs.graph_builder import GraphBuilder, Shape, convolution_macs, known_channels, two
from archatlas.graphs.onnx_operators import (
    BRANCHES,
    CONSTANTS,
    CONVOLUTIONS,
    NO_WEIGHTS,
    OPERATOR_OF,
    PRODUCTS,
    VIEWS,
)

MOST_BYTES = 2**31 - 1
"""Of a file: what its format can hold; weights beyond lie beside it and are not needed."""
MOST_NODES = 100_000

_MOST_READ = 1024
"""Numbers up to which a constant's values are kept for shape inference, which reads sizes and axes of them."""

_FLOATS = frozenset((1, 10, 11, 16))
_EIGHT_BITS = frozenset((2, 3, 17, 18, 19, 20))
"""Types of numbers (``TensorProto.DataType``): float32, float16, float64, bfloat16; 8 bits."""


def read_onnx(path: Path, input_shape: Sequence[int] | None = None) -> ComputationGraph:
    """What the file computes for one image.

    Parameters are the constants of floating point (or of eight bits) with more than one number that operators read,
    apart from running statistics: a module's buffers are among them. Batch norms that the exporter has folded into
    convolutions are not there, so compare ``deployed`` graphs.

    Args:
        path: the file.
        input_shape: without the batch axis; needed where the file leaves it open.

    Raises:
        ArchatlasError: the file is damaged, takes other inputs, or holds operators whose results' shapes nobody knows.
    """
    model = _loaded(path)
    name = path.name
    _refuse_unknown(model, name)
    shape = _prepare(model, name, input_shape)
    return _Reader(_inferred(model, name), name, shape).read()


def _loaded(path: Path) -> Any:
    import onnx
    from onnx.inliner import inline_local_functions

    if not path.is_file():
        raise ArchatlasError(f"there is no file {str(path)!r}")
    if path.stat().st_size > MOST_BYTES:
        raise ArchatlasError(f"{path.name} has {path.stat().st_size:,} bytes; an ONNX file has at most {MOST_BYTES:,}")
    try:
        model = onnx.load(str(path), load_external_data=False)
        if not model.graph.node or not model.opset_import:
            raise ArchatlasError(f"{path.name} is no ONNX file of a network: it holds no operators")
        return inline_local_functions(model) if model.functions else model
    except ArchatlasError:
        raise
    except Exception as error:
        raise ArchatlasError(f"{path.name} is damaged or no ONNX file: {_line(error)}") from error


def _refuse_unknown(model: Any, name: str) -> None:
    """Named and counted: operators that ONNX does not define, and those that run by what the data say."""
    from onnx import defs

    if len(model.graph.node) > MOST_NODES:
        raise ArchatlasError(f"{name} has {len(model.graph.node):,} operators; at most {MOST_NODES:,} are read")
    called = Counter((node.domain, node.op_type) for node in model.graph.node)
    unknown = {".".join(filter(None, key)): count for key, count in called.items() if not defs.has(key[1], key[0])}
    if unknown:
        raise ArchatlasError(
            f"{name} holds operators that ONNX does not define, so that the shapes of their results are not known: "
            f"{_counted(unknown)}. Export it without them"
        )
    branches = {kind: count for (_, kind), count in called.items() if kind in BRANCHES}
    if branches:
        raise ArchatlasError(
            f"{name} decides by its data what runs ({_counted(branches)}): its graph would be that of one image. "
            "Export a part that does the same for every image"
        )


def _counted(names: dict[str, int]) -> str:
    return ", ".join(f"{brief(name, 60)} ({count})" for name, count in sorted(names.items()))


def _prepare(model: Any, name: str, input_shape: Sequence[int] | None) -> tuple[int, ...]:
    """Fix the input's shape (an open batch is 1); forget shapes written for others, and large constants' values."""
    from onnx import helper

    graph = model.graph
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in constants]
    if len(inputs) != 1:
        given = ", ".join(brief(value.name, 40) for value in inputs) or "none"
        raise ArchatlasError(f"{name} must have one input, but has {len(inputs)} ({given})")
    dims = [dim.dim_value for dim in inputs[0].type.tensor_type.shape.dim]
    shape = (max(dims[0], 1) if dims else 1, *_image_shape(name, dims, input_shape))
    inputs[0].CopyFrom(helper.make_tensor_value_info(inputs[0].name, inputs[0].type.tensor_type.elem_type, shape))
    del graph.value_info[:]
    for output in graph.output:
        output.type.tensor_type.ClearField("shape")
    large = [tensor for tensor in graph.initializer if prod(tensor.dims) > _MOST_READ or tensor.external_data]
    listed = {value.name for value in graph.input}
    graph.input.extend(
        helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
        for tensor in large
        if tensor.name not in listed
    )
    names = {tensor.name for tensor in large}
    kept = [tensor for tensor in graph.initializer if tensor.name not in names]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    # Names of what was large are told by the order of inputs: the image is first.
    image = next(value for value in graph.input if value.name == inputs[0].name)
    others = [value for value in graph.input if value.name != image.name]
    ordered = [type(image).FromString(value.SerializeToString()) for value in (image, *others)]
    del graph.input[:]
    graph.input.extend(ordered)
    return shape


def _image_shape(name: str, dims: list[int], asked: Sequence[int] | None) -> tuple[int, ...]:
    wanted = tuple(asked) if asked is not None else tuple(dims[1:])
    if not wanted or any(size < 1 for size in wanted):
        raise ArchatlasError(f"{name} leaves the shape of images open: say which (`--input CxHxW`)")
    fits = len(dims) == len(wanted) + 1 and all(dim in (0, size) for dim, size in zip(dims[1:], wanted, strict=True))
    if dims and not fits:
        takes = "x".join(str(dim) if dim else "?" for dim in dims[1:])
        raise ArchatlasError(f"{name} takes images of shape {takes}, but got {'x'.join(map(str, wanted))}")
    return wanted


def _inferred(model: Any, name: str) -> Any:
    import onnx

    try:
        return onnx.shape_inference.infer_shapes(model, data_prop=True)
    except Exception as error:
        raise ArchatlasError(f"{name} is damaged, or its shapes do not fit: {_line(error)}") from error


def _line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return brief(lines[0]) if lines else type(error).__name__


class _Reader:
    """Goes through the operators in order and adds each to the graph."""

    def __init__(self, model: Any, name: str, shape: Shape) -> None:
        graph = model.graph
        image, *large = graph.input
        self.nodes, self.name = graph.node, name
        self.builder = GraphBuilder(shape)
        self.outputs = [value.name for value in graph.output]
        self.node_of: dict[str, int] = {image.name: 0}
        self.shapes: dict[str, tuple[int, ...]] = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
        for value in (*graph.input, *graph.value_info, *graph.output):
            known = _shape(value)
            if known is not None:
                self.shapes[value.name] = known
        types = {tensor.name: tensor.data_type for tensor in graph.initializer}
        types.update((value.name, value.type.tensor_type.elem_type) for value in large)
        self.numel = {name: prod(self.shapes[name]) for name, kind in types.items() if _may_be_weight(kind)}
        self.waiting = {name: frozenset([name]) for name, numel in self.numel.items() if numel > 1}
        self.counted: set[str] = set()

    def read(self) -> ComputationGraph:
        for node in self.nodes:
            try:
                self._read_node(node)
            except (KeyError, IndexError, ValueError, ZeroDivisionError) as error:
                raise ArchatlasError(
                    f"{self.name} is damaged, or the shapes at its operator {node.op_type} are not known without "
                    f"running it: {_line(error)}"
                ) from error
        outputs = [self.node_of[output] for output in self.outputs if output in self.node_of]
        if not outputs:
            raise ArchatlasError(f"what {self.name} computes does not depend on its input: there is no graph of it")
        return self.builder.graph(outputs)

    def _read_node(self, node: Any) -> None:
        reads = [value for value in node.input if value]
        if node.op_type in CONSTANTS or not any(value in self.node_of for value in reads):
            self._constant(node, reads)
            return
        made = self._add(node, reads)
        self.node_of.update((output, made) for output in node.output if output)

    def _constant(self, node: Any, reads: list[str]) -> None:
        """A constant holds the parameters that it was made of."""
        if node.op_type == "Constant":
            for attribute in node.attribute:
                if attribute.HasField("t"):
                    output, tensor = node.output[0], attribute.t
                    self.shapes[output] = tuple(tensor.dims)
                    if tensor.data_type in _FLOATS and prod(tensor.dims) > 1:
                        self.numel[output], self.waiting[output] = prod(tensor.dims), frozenset([output])
            return
        held = frozenset().union(*(self.waiting.get(value, frozenset()) for value in reads))
        if held and node.op_type not in ("Shape", "Size"):
            self.waiting.update((output, held) for output in node.output)

    def _params(self, node: Any, reads: list[str]) -> int:
        if node.op_type in NO_WEIGHTS:
            return 0
        if node.op_type == "BatchNormalization":
            reads = reads[:3]
        new = frozenset().union(*(self.waiting.get(value, frozenset()) for value in reads)) - self.counted
        self.counted |= new
        return sum(self.numel[value] for value in new)

    def _add(self, node: Any, reads: list[str]) -> int:
        inputs = [self.node_of[value] for value in reads if value in self.node_of]
        if node.op_type in VIEWS:
            return inputs[0]
        given = self.shapes[next(value for value in reads if value in self.node_of)]
        made = self.shapes[next(value for value in node.output if value)]
        params = self._params(node, reads)
        attributes = {attribute.name: attribute for attribute in node.attribute}
        if node.op_type in CONVOLUTIONS:
            return self._add_convolution(node, attributes, inputs, made, params)
        if node.op_type in PRODUCTS:
            return self._add_product(node, attributes, inputs, made, params)
        operator = OPERATOR_OF.get(node.op_type, "other")
        if node.op_type == "Gather" and prod(self.shapes.get(node.input[1], (0,))) == 1:
            operator = "slice"
        macs = _einsum_macs(attributes, [self.shapes[value] for value in reads]) if node.op_type == "Einsum" else 0
        if macs:
            operator = "matmul" if len(inputs) > 1 else "linear"
        pooled = node.op_type in ("MaxPool", "AveragePool")
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

    def _add_convolution(
        self, node: Any, attributes: dict[str, Any], inputs: list[int], made: Shape, params: int
    ) -> int:
        given, weight = self.shapes[node.input[0]], self.shapes[node.input[CONVOLUTIONS[node.op_type]]]
        transposed = node.op_type == "ConvTranspose"
        last = {"QLinearConv": 8, "ConvInteger": 99}.get(node.op_type, 2)
        return self.builder.add(
            "transposed_convolution" if transposed else "convolution",
            inputs,
            given,
            made,
            channels=(given[1], made[1]),
            kernel=two(weight[2:]),
            stride=two(attributes["strides"].ints) if "strides" in attributes else (1, 1),
            groups=attributes["group"].i if "group" in attributes else 1,
            bias=len(node.input) > last and bool(node.input[last]),
            params=params,
            macs=convolution_macs(given, weight, made, transposed),
        )

    def _add_product(self, node: Any, attributes: dict[str, Any], inputs: list[int], made: Shape, params: int) -> int:
        left, right = node.input[0], node.input[PRODUCTS[node.op_type]]
        linear = left not in self.node_of or right not in self.node_of
        turned = "transA" in attributes and attributes["transA"].i
        inner = self.shapes[left][0 if turned else -1]
        from_right = left not in self.node_of
        return self.builder.add(
            "linear" if linear else "matmul",
            inputs,
            self.shapes[right if from_right else left],
            made,
            channels=(inner, made[-2] if from_right else made[-1]),
            bias=linear and node.op_type == "Gemm" and len(node.input) > 2 and bool(node.input[2]),
            params=params,
            macs=prod(made) * inner,
        )


def _may_be_weight(kind: int) -> bool:
    return kind in _FLOATS or kind in _EIGHT_BITS


def _einsum_macs(attributes: dict[str, Any], shapes: list[tuple[int, ...]]) -> int:
    """The product of the lengths of all axes, as a loop over them all would do; none without a sum."""
    read = attributes["equation"].s.decode().replace(" ", "").partition("->")[0].split(",")
    lengths = {
        letter: size
        for letters, shape in zip(read, shapes, strict=True)
        for letter, size in zip(letters, shape, strict=True)
    }
    return prod(lengths.values()) if len(read) > 1 else 0


def _shape(value: Any) -> tuple[int, ...] | None:
    """The shape that is known of a value; None if a length is not."""
    kind = value.type.tensor_type
    if not kind.HasField("shape"):
        return None
    lengths = tuple(dim.dim_value if dim.HasField("dim_value") else -1 for dim in kind.shape.dim)
    return lengths if all(length >= 0 for length in lengths) else None
