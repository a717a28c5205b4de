"""ONNX files from elsewhere, with the shapes of all that they compute: nothing runs.

Weights that lie beside the file are not read. Those in it are, with the file, and are put away before shapes are told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from math import prod
from pathlib import Path
from typing import Any

from archatlas.errors import ArchatlasError, brief
from archatlas.graphs.onnx_branches import take_branches
from archatlas.graphs.onnx_operators import BRANCHES

MOST_BYTES = 2**31 - 1
"""Of a file: what its format can hold; weights beyond lie beside it and are not needed."""
MOST_NODES = 100_000
_DEEPEST_CALL = 100
"""Functions of a file that call one another, one inside the other."""
_COUNTED = 10**12
"""Beyond it nothing is counted: numbers with hundreds of digits help nobody."""
_MOST_COPIED = 2**26
"""Bytes that functions which are called more than once may add to those of the file."""

_CHANNELS = (1, 3, 4)
"""Of images: where the last axis has so many and the first has more, channels come last."""
_MOST_READ = 1024
"""Numbers up to which a constant's values are kept for shape inference, which reads sizes and axes of them."""


def load_with_shapes(path: Path, input_shape: Sequence[int] | None = None) -> tuple[Any, tuple[int, ...]]:
    """The model with the shapes that ONNX infers, and that of its input, with the batch axis (an open one is 1).

    The image is the first of its inputs; constants that are large follow it as inputs, without values.

    Raises:
        ArchatlasError: the file is damaged, takes other inputs, or holds operators that ONNX does not define.
    """
    model = _loaded(path)
    _refuse_unknown(model, path.name)
    shape = _prepare(model, path.name, input_shape)
    return _inferred(model, path.name), shape


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
        for named in (*model.graph.node, *model.opset_import):
            if named.domain == "ai.onnx":  # ONNX's own, which has no name.
                named.domain = ""
        if model.functions:
            _require_few_copies(model, path)
            model = inline_local_functions(model)
        take_branches(model.graph)
        return model
    except ArchatlasError:
        raise
    except Exception as error:
        raise ArchatlasError(f"{path.name} is damaged or no ONNX file: {first_line(error)}") from error


def _require_few_copies(model: Any, path: Path) -> None:
    """ArchatlasError if functions, put in the place of their calls, are too much: ten that double are a thousand."""
    functions = {_called(function, function.name): function for function in model.functions}
    known: dict[tuple[str, ...], tuple[int, int]] = {}

    def written_out(nodes: Any, calls: tuple[tuple[str, ...], ...]) -> tuple[int, int]:
        """Operators and bytes."""
        operators = size = 0
        for node in _with_inner(nodes):
            key = _called(node, node.op_type)
            own = 1, node.ByteSize()
            if key in functions:
                if key in calls or len(calls) == _DEEPEST_CALL:
                    how = "itself" if key in calls else f"others, more than {_DEEPEST_CALL} deep"
                    raise ArchatlasError(f"{path.name}: its function {brief(node.op_type, 60)} calls {how}")
                if key not in known:
                    known[key] = written_out(functions[key].node, (*calls, key))
                own = known[key]
            operators, size = min(operators + own[0], _COUNTED), min(size + own[1], _COUNTED)
        return operators, size

    operators, size = written_out(model.graph.node, ())
    if operators > MOST_NODES:
        raise ArchatlasError(_too_many(path.name, operators))
    if size > path.stat().st_size + _MOST_COPIED:
        raise ArchatlasError(f"{path.name} has {size:,} bytes once its functions stand where they are called")


def _called(node: Any, kind: str) -> tuple[str, ...]:
    return "" if node.domain == "ai.onnx" else node.domain, kind, node.overload


def _with_inner(nodes: Any) -> Iterator[Any]:
    """The operators, and those of graphs inside them."""
    for node in nodes:
        yield node
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                yield from _with_inner(graph.node)


def _too_many(name: str, operators: int) -> str:
    return f"{name} has {operators:,} operators; at most {MOST_NODES:,} are read"


def _refuse_unknown(model: Any, name: str) -> None:
    """Named and counted: operators that ONNX does not define, and those that run by what the data say."""
    from onnx import defs

    if len(model.graph.node) > MOST_NODES:
        raise ArchatlasError(_too_many(name, len(model.graph.node)))
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
            "Export a part that does the same for every image, or run onnx-simplifier on it if sizes alone decide"
        )


def _counted(names: dict[str, int]) -> str:
    return ", ".join(f"{brief(name, 60)} ({count})" for name, count in sorted(names.items()))


def _prepare(model: Any, name: str, input_shape: Sequence[int] | None) -> tuple[int, ...]:
    """Fix the input's shape (an open batch is 1); forget shapes written for others, and large constants' values."""
    from onnx import helper

    graph = model.graph
    constants = {tensor.name for tensor in graph.initializer}
    read = {value for node in _with_inner(graph.node) for value in node.input}
    # Some exporters keep the inputs of a training that nothing reads any more, such as labels.
    unread = [value for value in graph.input if value.name not in constants and value.name not in read]
    inputs = [value for value in graph.input if value.name not in constants and value.name in read]
    if len(inputs) != 1:
        given = ", ".join(brief(value.name, 40) for value in inputs) or "none"
        raise ArchatlasError(f"{name} must have one input that is read, but has {len(inputs)} ({given})")
    for value in unread:
        graph.input.remove(value)
    dims = [max(dim.dim_value, 0) for dim in inputs[0].type.tensor_type.shape.dim]
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


def small_constants(graph: Any) -> dict[str, Any]:
    """The numbers of constants that hold few, as arrays by name: initializers, and what ``Constant`` gives."""
    import numpy as np
    from onnx import numpy_helper

    found: dict[str, Any] = {}
    tensors = [(tensor.name, tensor) for tensor in graph.initializer]
    for node in graph.node:
        for one in node.attribute if node.op_type == "Constant" else ():
            if one.name == "value_float":
                found[node.output[0]] = np.array(one.f)
            elif one.HasField("t"):
                tensors.append((node.output[0], one.t))
    for name, tensor in tensors:
        if prod(tensor.dims) <= _MOST_READ and not tensor.external_data:
            try:
                found[name] = numpy_helper.to_array(tensor)
            except (ValueError, TypeError):  # Damaged; whose numbers nobody knows is no constant that is looked for.
                continue
    return found


def channels_first(shape: Sequence[int]) -> tuple[int, ...]:
    """A shape with its batch axis, channels before height and width: exports of TensorFlow have them last."""
    if len(shape) == 4 and shape[3] in _CHANNELS and shape[1] > max(_CHANNELS):
        return shape[0], shape[3], shape[1], shape[2]
    return tuple(shape)


def shape_of_image(dims: Sequence[int], asked: Sequence[int] | None) -> tuple[int, ...] | None:
    """What a file takes whose input has these ``dims`` (0: open) beside the batch axis, in its own order.

    Args:
        dims: of the file.
        asked: channels first, or as the file has it; None: as the file says.

    Returns None where what is asked does not fit, or the shape is left open.
    """
    orders = [tuple(dims)] if asked is None else [tuple(asked)]
    if asked is not None and len(asked) == 3:
        orders.append((asked[1], asked[2], asked[0]))
    for wanted in orders:
        known = all(size > 0 for size in wanted)
        if known and len(dims) == len(wanted) and all(d in (0, size) for d, size in zip(dims, wanted, strict=True)):
            return wanted
    return None


def _image_shape(name: str, dims: list[int], asked: Sequence[int] | None) -> tuple[int, ...]:
    if not dims and asked is not None:
        return tuple(asked)
    found = shape_of_image(dims[1:], asked)
    if found is not None:
        return found
    if asked is None:
        raise ArchatlasError(f"{name} leaves the shape of images open: say which (`--input CxHxW`)")
    takes = "x".join(str(dim) if dim else "?" for dim in dims[1:])
    raise ArchatlasError(f"{name} takes images of shape {takes}, but got {'x'.join(map(str, asked))}")


def _inferred(model: Any, name: str) -> Any:
    import onnx

    try:
        found = onnx.shape_inference.infer_shapes(model)
    except Exception as error:
        raise ArchatlasError(f"{name} is damaged, or its shapes do not fit: {first_line(error)}") from error
    return found if _all_known(found) else _followed(model, found)


def _all_known(model: Any) -> bool:
    """Whether the shape of every result is a list of numbers."""
    graph = model.graph
    known = {
        value.name
        for value in (*graph.value_info, *graph.output)
        if value.type.tensor_type.HasField("shape")
        and all(dim.dim_value > 0 for dim in value.type.tensor_type.shape.dim)
    }
    return all(output in known for node in graph.node for output in node.output[:1])


def _followed(model: Any, found: Any) -> Any:
    """The model with the shapes that onnxruntime finds, which computes sizes that operators are handed; or as found.

    ONNX itself could follow some of them (``data_prop``), but makes a list of each vector, however long.
    """
    from archatlas.graphs.onnx_sizes import with_followed_sizes

    try:
        return with_followed_sizes(model)
    except Exception:  # It stops with whatever an operator leads it to; what ONNX has found still counts.
        return found


def first_line(error: Exception) -> str:
    """What an error says, for a message."""
    lines = str(error).strip().splitlines()
    return brief(lines[0]) if lines else type(error).__name__
