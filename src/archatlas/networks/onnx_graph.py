"""A module as an ONNX graph within milliseconds, for timing: PyTorch's exporter takes one to two seconds each.

The graph holds one operator per module or operation that ``torch.fx`` finds. onnxruntime folds batch norms and
activations into convolutions as it does in a file of ``write_onnx``, so both run the same operators in the same time
(tests/networks/test_onnx_graph.py compares what onnxruntime makes of them).
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn.modules.utils import _pair

_OPSET = 18


class UnknownOperationError(Exception):
    """The module holds an operation that is not written here: ``write_onnx`` can."""


def onnx_graph(module: nn.Module, input_shape: tuple[int, ...]) -> bytes:
    """The module (put into evaluation mode) as an ONNX file's content, with a dynamic batch axis; input x, output y.

    Args:
        module: takes one float32 tensor ``[b, *input_shape]``, and does the same whatever the tensor.
        input_shape: without the batch axis.

    Raises:
        UnknownOperationError: it does something that this does not know.
    """
    from onnx import TensorProto, helper

    module.eval()
    graph = _Tracer().trace(module)
    writer = _Writer(module)
    names: dict[fx.Node, str] = {}
    for node in graph.nodes:
        names[node] = writer.write(node, names)
    outputs = [node for node in graph.nodes if node.op == "output"]
    writer.add("Identity", [names[outputs[0]]], "y")
    values = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", *input_shape])]
    with torch.no_grad():
        output_shape = module(torch.zeros(1, *input_shape)).shape[1:]
    results = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", *output_shape])]
    made = helper.make_graph(writer.nodes, "module", values, results, writer.constants)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=10)
    content: bytes = model.SerializeToString()
    return content


class _Tracer(fx.Tracer):
    """Looks into what is not written as one operator."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, tuple(_MODULES))


class _Writer:
    """Operators and weights, as they are added."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, tensor: Tensor) -> str:
        from onnx import numpy_helper

        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(tensor.detach().cpu().contiguous().numpy(), name))
        return name

    def write(self, node: fx.Node, names: dict[fx.Node, str]) -> str:
        """Add what the node computes; the name of its value."""
        if node.op == "placeholder":
            return "x"
        if node.op == "output":
            return names[_node(node.args[0])]
        if node.op == "get_attr":
            return self.constant(operator.attrgetter(str(node.target))(self.module))
        if node.op == "call_module":
            called = self.module.get_submodule(str(node.target))
            kind = next(kind for kind in _MODULES if isinstance(called, kind))
            return _MODULES[kind](self, called, names[_node(node.args[0])], node.name)
        write = _CALLS.get(node.target)
        if write is None:
            raise UnknownOperationError(str(node.target))
        return write(self, node, names)


def _node(argument: object) -> fx.Node:
    if not isinstance(argument, fx.Node):
        raise UnknownOperationError(f"an argument {argument!r} that is no tensor")
    return argument


def _identity(writer: _Writer, module: nn.Module, x: str, name: str) -> str:
    return x


def _convolution(writer: _Writer, module: nn.Conv2d, x: str, name: str) -> str:
    if isinstance(module.padding, str) or module.padding_mode != "zeros":
        raise UnknownOperationError(str(module))
    inputs = [x, writer.constant(module.weight)]
    if module.bias is not None:
        inputs.append(writer.constant(module.bias))
    return writer.add(
        "Conv", inputs, name,
        kernel_shape=list(module.kernel_size), strides=list(module.stride), pads=[*module.padding] * 2,
        dilations=list(module.dilation), group=module.groups,
    )  # fmt: skip


def _batch_norm(writer: _Writer, module: nn.BatchNorm2d, x: str, name: str) -> str:
    held = (module.weight, module.bias, module.running_mean, module.running_var)
    if any(one is None for one in held):
        raise UnknownOperationError(str(module))
    inputs = [x, *(writer.constant(one) for one in held if one is not None)]
    return writer.add("BatchNormalization", inputs, name, epsilon=module.eps)


def _linear(writer: _Writer, module: nn.Linear, x: str, name: str) -> str:
    inputs = [x, writer.constant(module.weight)]
    if module.bias is not None:
        inputs.append(writer.constant(module.bias))
    return writer.add("Gemm", inputs, name, transB=1)


def _average(writer: _Writer, module: nn.AdaptiveAvgPool2d, x: str, name: str) -> str:
    if module.output_size not in (1, (1, 1)):
        raise UnknownOperationError(str(module))
    axes = writer.constant(torch.tensor([2, 3]))
    return writer.add("ReduceMean", [x, axes], name, keepdims=1)


def _pool(kind: str, **more: int) -> Callable[[_Writer, Any, str, str], str]:
    def write(writer: _Writer, module: nn.AvgPool2d | nn.MaxPool2d, x: str, name: str) -> str:
        sides = {"kernel_shape": module.kernel_size, "strides": module.stride}
        said = {attribute: list(_pair(side)) for attribute, side in sides.items()}
        pads = list(_pair(module.padding)) * 2
        return writer.add(kind, [x], name, **said, pads=pads, ceil_mode=int(module.ceil_mode), **more)

    def average(writer: _Writer, module: nn.AvgPool2d, x: str, name: str) -> str:
        if module.divisor_override is not None:
            raise UnknownOperationError(str(module))
        include = int(module.count_include_pad)
        return _pool(kind, count_include_pad=include)(writer, module, x, name)

    return average if kind == "AveragePool" and not more else write


def _element_wise(kind: str, **attributes: float) -> Callable[[_Writer, Any, str, str], str]:
    return lambda writer, _, x, name: writer.add(kind, [x], name, **attributes)


def _relu6(writer: _Writer, module: nn.ReLU6, x: str, name: str) -> str:
    limits = [writer.constant(torch.tensor(limit)) for limit in (0.0, 6.0)]
    return writer.add("Clip", [x, *limits], name)


_MODULES: dict[type[nn.Module], Callable[[_Writer, Any, str, str], str]] = {
    nn.Identity: _identity,
    nn.Dropout: _identity,
    nn.Conv2d: _convolution,
    nn.BatchNorm2d: _batch_norm,
    nn.ReLU6: _relu6,
    nn.ReLU: _element_wise("Relu"),
    nn.Hardswish: _element_wise("HardSwish"),
    nn.Hardsigmoid: _element_wise("HardSigmoid", alpha=1 / 6, beta=0.5),
    nn.AdaptiveAvgPool2d: _average,
    nn.AvgPool2d: _pool("AveragePool"),
    nn.MaxPool2d: _pool("MaxPool"),
    nn.Linear: _linear,
}


def _binary(kind: str) -> Callable[[_Writer, fx.Node, dict[fx.Node, str]], str]:
    def write(writer: _Writer, node: fx.Node, names: dict[fx.Node, str]) -> str:
        return writer.add(kind, [names[_node(argument)] for argument in node.args], node.name)

    return write


def _mean(writer: _Writer, node: fx.Node, names: dict[fx.Node, str]) -> str:
    if node.kwargs != {"dim": (2, 3)} or len(node.args) != 1:
        raise UnknownOperationError(f"mean with {node.args[1:]}, {node.kwargs}")
    axes = writer.constant(torch.tensor([2, 3]))
    return writer.add("ReduceMean", [names[_node(node.args[0])], axes], node.name, keepdims=0)


def _relu(writer: _Writer, node: fx.Node, names: dict[fx.Node, str]) -> str:
    return writer.add("Relu", [names[_node(node.args[0])]], node.name)


def _concatenation(writer: _Writer, node: fx.Node, names: dict[fx.Node, str]) -> str:
    if node.kwargs != {"dim": 1} or not isinstance(node.args[0], list | tuple):
        raise UnknownOperationError(f"cat of {node.args}, {node.kwargs}")
    return writer.add("Concat", [names[_node(one)] for one in node.args[0]], node.name, axis=1)


_CALLS: dict[Any, Callable[[_Writer, fx.Node, dict[fx.Node, str]], str]] = {
    operator.add: _binary("Add"),
    operator.mul: _binary("Mul"),
    operator.sub: _binary("Sub"),
    operator.truediv: _binary("Div"),
    "mean": _mean,
    "relu": _relu,
    torch.cat: _concatenation,
}
