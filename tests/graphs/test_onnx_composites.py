"""Operators that older opsets write out, and recurrent ones: as they are recorded, or counted by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from archatlas.graphs.computation import OPERATORS, ComputationGraph
from archatlas.graphs.onnx_reading import read_onnx
from archatlas.graphs.recording import record

Constants = dict[str, Any]
ONES = np.full(6, 0.5, np.float32)


def graph_of(
    path: Path, steps: str, constants: Constants, dims: tuple[int, ...], opset: int = 11, outputs: str = "y"
) -> ComputationGraph:
    """The graph of steps such as ``Mul x w -> y``, a line each; attributes follow a bar, ``| axes=[-1]``."""
    nodes = []
    for line in steps.strip().splitlines():
        call, _, attributes = line.partition("|")
        read, _, made = call.partition("->")
        kind, *values = read.split()
        given = eval(f"dict({attributes})")
        nodes.append(helper.make_node(kind, [value.strip("_") for value in values], made.split(), **given))
    given_out = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs.split()]
    held = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, dims)
    graph = helper.make_graph(nodes, "graph", [image], given_out, held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return read_onnx(path)


def operators(graph: ComputationGraph) -> list[str]:
    return [OPERATORS[index] for index in graph.nodes["operator"]][1:]


LAYER_NORM = """
ReduceMean x -> m | axes=[-1]
Sub x m -> d
{square}
ReduceMean p -> v | axes=[-1]
Add v eps -> a
Sqrt a -> s
Div d s -> n
"""
POWER, PRODUCT = "Pow d two -> p", "Mul d d -> p"
AFFINE = "Mul n w -> s1\nAdd s1 b -> y"
NUMBERS: Constants = {"eps": np.float32(1e-5), "two": np.float32(2)}
WEIGHTS: Constants = {"w": ONES, "b": ONES}


@pytest.mark.parametrize("square", [POWER, PRODUCT])
def test_a_layer_norm_in_steps_is_a_layer_norm(tmp_path: Path, square: str) -> None:
    steps = LAYER_NORM.format(square=square) + AFFINE
    found = graph_of(tmp_path / "a.onnx", steps, NUMBERS | WEIGHTS, (1, 5, 6))
    assert found == record(nn.LayerNorm(6), (5, 6))
    assert found.params == 12
    plain = graph_of(tmp_path / "b.onnx", steps.partition("Mul n")[0].replace("-> n", "-> y"), NUMBERS, (1, 5, 6))
    assert plain == record(nn.LayerNorm(6, elementwise_affine=False), (5, 6))


def test_a_layer_norm_of_several_axes_by_a_linear_layer(tmp_path: Path) -> None:
    steps = LAYER_NORM.format(square=POWER).replace("[-1]", "[1, 2]") + AFFINE + "\nMatMul y v1 -> z"
    weights = {"w": np.full((5, 6), 0.5, np.float32), "b": np.full((5, 6), 0.5, np.float32)}
    product: Constants = {"v1": np.zeros((6, 4), np.float32)}
    found = graph_of(tmp_path / "a.onnx", steps, NUMBERS | weights | product, (1, 5, 6), outputs="z")
    assert found == record(nn.Sequential(nn.LayerNorm((5, 6)), nn.Linear(6, 4, bias=False)), (5, 6))


def test_a_layer_norm_of_half_precision_has_casts_between_its_steps(tmp_path: Path) -> None:
    steps = LAYER_NORM.replace("Sub x m -> d", "Sub x m -> h\nCast h -> d | to=1").replace("-> n", "-> g")
    steps = steps.format(square=POWER) + "Cast g -> n | to=1\n" + AFFINE
    found = graph_of(tmp_path / "a.onnx", steps, NUMBERS | WEIGHTS, (1, 5, 6))
    assert found == record(nn.LayerNorm(6), (5, 6))
    # Somebody else wants what a cast hands on.
    wanted = graph_of(tmp_path / "b.onnx", steps, NUMBERS | WEIGHTS, (1, 5, 6), outputs="y d")
    assert wanted.count("layer_norm") == 0


@pytest.mark.parametrize(
    ("change", "constants", "opset", "outputs"),
    [
        (("Pow d two", "Pow d three"), {"three": np.float32(3)}, 11, "y"),  # No variance.
        (("[-1]", "[1]"), {}, 11, "y"),  # Not over the last axis.
        (("[-1]", "[-1], keepdims=0"), {}, 11, "y"),
        (("", ""), {}, 11, "y v"),  # Somebody else wants the variance.
        (("Sub x m", "Sub m x"), {}, 11, "y"),
        (("", ""), {}, 17, "y"),  # There is an operator for it: who writes the steps means them.
    ],
)
def test_what_is_no_layer_norm_stays_what_it_is(
    tmp_path: Path, change: tuple[str, str], constants: Constants, opset: int, outputs: str
) -> None:
    steps = LAYER_NORM.format(square=POWER).replace(*change) + AFFINE
    dims = (6, 6, 6) if "keepdims=0" in change[1] else (1, 6, 6)
    found = graph_of(tmp_path / "a.onnx", steps, NUMBERS | WEIGHTS | constants, dims, opset, outputs)
    assert found.count("layer_norm") == 0
    assert found.count("power") == 2
    assert found.params == 12


def test_factors_for_another_axis_are_no_part_of_a_layer_norm(tmp_path: Path) -> None:
    steps = LAYER_NORM.format(square=POWER) + AFFINE
    columns: Constants = {"w": np.full((5, 1), 0.5, np.float32), "b": np.full((5, 1), 0.25, np.float32)}
    found = graph_of(tmp_path / "a.onnx", steps, NUMBERS | columns, (1, 5, 6))
    assert operators(found) == ["layer_norm", "multiply", "add"]
    assert found.nodes["params"].tolist() == [0, 0, 5, 5]


@pytest.mark.parametrize(
    ("affine", "outputs", "dims"),
    [
        ("Mul n x -> s1\nAdd s1 b -> y", "y", (6,)),  # By the image itself.
        (AFFINE, "y n", (1, 5, 6)),  # Somebody else wants what is there before the factor.
    ],
)
def test_what_is_no_weight_of_a_layer_norm_or_wanted_elsewhere_is_left_out_of_it(
    tmp_path: Path, affine: str, outputs: str, dims: tuple[int, ...]
) -> None:
    steps = LAYER_NORM.format(square=POWER) + affine
    found = graph_of(tmp_path / "a.onnx", steps, NUMBERS | WEIGHTS, dims, outputs=outputs)
    assert operators(found) == ["layer_norm", "multiply", "add"]


def test_as_many_factors_for_another_axis_are_no_part_of_a_layer_norm(tmp_path: Path) -> None:
    columns: Constants = {"w": np.full((6, 1), 0.5, np.float32), "b": np.full((6, 1), 0.25, np.float32)}
    found = graph_of(tmp_path / "a.onnx", LAYER_NORM.format(square=POWER) + AFFINE, NUMBERS | columns, (1, 6, 6))
    assert operators(found) == ["layer_norm", "multiply", "add"]


GELU = """
{cube}
Mul c k -> ck
Add x ck -> t
Mul t r -> tr
Tanh tr -> h
Add h one -> i
"""
POWERS = ["Pow x three -> c", "Mul x x -> q\nMul x q -> c", "Pow x two -> q\nMul q x -> c"]
ENDS = ["Mul x i -> j\nMul j half -> y", "Mul i half -> j\nMul j x -> y", "Mul x half -> j\nMul j i -> y"]
GELU_NUMBERS: Constants = {
    "one": np.float32(1), "two": np.float32(2), "three": np.float32(3), "half": np.float32(0.5),
    "k": np.float32(0.044715), "r": np.float32(0.7978846),
}  # fmt: skip


@pytest.mark.parametrize("cube", POWERS)
@pytest.mark.parametrize("end", ENDS)
def test_a_gelu_by_tanh_in_steps_is_a_gelu(tmp_path: Path, cube: str, end: str) -> None:
    found = graph_of(tmp_path / "a.onnx", GELU.format(cube=cube) + end, GELU_NUMBERS, (1, 5, 6))
    assert found == record(nn.GELU(approximate="tanh"), (5, 6))


@pytest.mark.parametrize(
    ("change", "opset"),
    [
        ({"k": np.float32(0.5)}, 11),
        ({"three": np.float32(4)}, 11),
        ({"r": np.float32(1)}, 11),
        ({"one": np.float32(2)}, 11),
        ({}, 20),
    ],
)
def test_other_polynomials_are_no_gelu(tmp_path: Path, change: Constants, opset: int) -> None:
    steps = GELU.format(cube=POWERS[0]) + ENDS[0]
    found = graph_of(tmp_path / "a.onnx", steps, GELU_NUMBERS | change, (1, 5, 6), opset)
    assert operators(found) == ["power", "add", "tanh", "multiply"]


@pytest.mark.parametrize(
    ("steps", "module"),
    [
        ("Sigmoid x -> s\nMul x s -> y", nn.SiLU()),
        ("Add x k -> a\nClip a low high -> b\nMul x b -> c\nDiv c high -> y", nn.Hardswish()),
        ("HardSigmoid x -> a\nMul a x -> y", nn.Hardswish()),
        ("Div x root -> a\nErf a -> b\nAdd b one -> c\nMul x c -> d\nMul d half -> y", nn.GELU()),
    ],
)
def test_products_with_a_function_of_oneself(tmp_path: Path, steps: str, module: nn.Module) -> None:
    numbers = {"k": 3.0, "low": 0.0, "high": 6.0, "root": 2**0.5, "one": 1.0, "half": 0.5}
    constants = {name: np.float32(value) for name, value in numbers.items()}
    assert graph_of(tmp_path / "a.onnx", steps, constants, (1, 5, 6)) == record(module, (5, 6))


GROUP_NORM = """
Reshape x groups -> a
InstanceNormalization a ones zeros -> b
Reshape b whole -> n
Mul n w -> c
Add c v -> y
"""


@pytest.mark.parametrize(("scale", "norms"), [(1.0, ["group_norm"]), (2.0, ["group_norm", "multiply", "add"])])
def test_a_group_norm_as_an_instance_norm_of_groups(tmp_path: Path, scale: float, norms: list[str]) -> None:
    constants: Constants = {
        "groups": np.array([0, 3, -1]), "whole": np.array([1, 6, 5, 5]), "ones": np.full(3, scale, np.float32),
        "zeros": np.zeros(3, np.float32), "w": np.ones((6, 1, 1), np.float32), "v": np.ones((6, 1, 1), np.float32),
    }  # fmt: skip
    found = graph_of(tmp_path / "a.onnx", GROUP_NORM, constants, (1, 6, 5, 5), 17)
    assert operators(found) == norms
    assert (found == record(nn.GroupNorm(3, 6), (6, 5, 5))) == (scale == 1.0)


KNOWN: dict[str, tuple[str, list[str]]] = {
    "a constant mask": ("Where mask x low -> y", []),
    "a leaky ReLU": ("Greater x zero -> g\nMul x half -> h\nWhere g x h -> y", ["clip"]),
    "a choice": ("ReduceMax x -> m | axes=[1]\nLess m zero -> l\nWhere l x zero -> y", ["reduce", "clip", "clip"]),
    "Mish": ("Softplus x -> s\nTanh s -> t\nMul x t -> y", ["silu"]),
    "noise": ("RandomNormalLike x -> r\nAdd x r -> y", []),
    "sines": ("Sin x -> s\nCos x -> c\nMul s c -> y", ["power", "power", "multiply"]),
    "places": (
        "ArgMax x -> a | axis=1\nCumSum x axis -> c\nCast a -> f | to=1\nAdd c f -> y",
        ["reduce"] * 2 + ["add"],
    ),
    "a mean of two": ("Relu x -> r\nMean x r -> y", ["relu", "add"]),
    "rounding": ("Round x -> r\nFloor r -> y", []),
    "a pool": ("LpPool x -> y | kernel_shape=[2, 2], strides=[2, 2]", ["average_pool"]),
    "no sum": ("Einsum x -> y | equation='bchw->bhwc'", []),
    "a sum": ("Einsum x -> y | equation='bchw->bc'", ["reduce"]),
}


@pytest.mark.parametrize("name", KNOWN)
def test_what_ordinary_networks_are_made_of_is_known(tmp_path: Path, name: str) -> None:
    steps, expected = KNOWN[name]
    constants = {name: np.float32(number) for name, number in (("low", -1e9), ("zero", 0), ("half", 0.5))}
    found = graph_of(
        tmp_path / "a.onnx", steps, {**constants, "mask": np.eye(4, dtype=bool), "axis": np.int64(1)}, (1, 6, 4, 4), 12
    )
    assert operators(found) == expected


@pytest.mark.parametrize(
    ("steps", "module", "shape", "opset"),
    [
        ("LRN x -> y | size=3", nn.LocalResponseNorm(3), (6, 4, 5), 11),
        ("LRN x -> y | size=2", nn.LocalResponseNorm(2), (6, 4), 11),
        ("Softsign x -> y", nn.Softsign(), (6, 4, 5), 11),
        ("Mish x -> y", nn.Mish(), (6, 4, 5), 18),
        ("RMSNormalization x w -> y", nn.RMSNorm(6), (5, 6), 23),
        ("RMSNormalization x w -> y | axis=1", nn.RMSNorm((5, 6)), (5, 6), 23),
    ],
)
def test_what_pytorch_computes_in_steps_is_read_in_these(
    tmp_path: Path, steps: str, module: nn.Module, shape: tuple[int, ...], opset: int
) -> None:
    weights = {"w": np.full(module.normalized_shape, 0.5, np.float32)} if isinstance(module, nn.RMSNorm) else {}
    assert graph_of(tmp_path / "a.onnx", steps, weights, (1, *shape), opset) == record(module, shape)


def recurrent(
    kind: str, directions: int, gates: int, lengths: list[int] | None = None, layout: int = 0
) -> tuple[str, Constants]:
    """Of 7 numbers at each of 5 steps, with a state of 3; a sequence's first state is given."""
    given = "lengths" if lengths is not None else "_"
    states = "h h" if kind == "LSTM" else "h"
    sides = "direction='bidirectional', " if directions == 2 else ""
    order = f", layout={layout}" if layout else ""
    turned = "x" if layout else "turned"
    state = (1, directions, 3) if layout else (directions, 1, 3)
    constants: Constants = {
        "w": np.ones((directions, gates * 3, 7), np.float32), "r": np.ones((directions, gates * 3, 3), np.float32),
        "b": np.ones((directions, 2 * gates * 3), np.float32), "h": np.ones(state, np.float32),
        "lengths": np.array(lengths or [5], np.int32),
    }  # fmt: skip
    turn = "" if layout else "Transpose x -> turned | perm=[1, 0, 2]\n"
    return f"{turn}{kind} {turned} w r b {given} {states} -> y | {sides}hidden_size=3{order}", constants


@pytest.mark.parametrize("layout", [0, 1])
@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize(("kind", "gates"), [("LSTM", 4), ("GRU", 3), ("RNN", 1)])
def test_costs_of_recurrent_operators_by_hand(
    tmp_path: Path, kind: str, gates: int, directions: int, layout: int
) -> None:
    steps, constants = recurrent(kind, directions, gates, layout=layout)
    found = graph_of(tmp_path / "a.onnx", steps, constants, (1, 5, 7), 14)
    # Each gate has 3 numbers, of 7 that are read and 3 of the state, at 5 steps; biases come twice, first states not.
    assert found.macs == 5 * directions * gates * 3 * (7 + 3)
    assert found.params == directions * gates * 3 * (7 + 3 + 2)
    module = {"LSTM": nn.LSTM, "GRU": nn.GRU, "RNN": nn.RNN}[kind](7, 3, bidirectional=directions == 2)
    assert found.params == sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(("lengths", "steps"), [([2], 2), ([5], 5), ([9], 5)])
def test_recurrent_operators_run_as_long_as_their_sequences(tmp_path: Path, lengths: list[int], steps: int) -> None:
    written, constants = recurrent("GRU", 2, 3, lengths)
    found = graph_of(tmp_path / "a.onnx", written, constants, (1, 5, 7), 14)
    assert found.macs == steps * 2 * 3 * 3 * 10


def test_lengths_of_a_batch_are_those_of_one_image_on_average(tmp_path: Path) -> None:
    written, constants = recurrent("LSTM", 1, 4, [1, 5])
    constants["h"] = np.ones((1, 2, 3), np.float32)
    found = graph_of(tmp_path / "a.onnx", written, constants, (2, 5, 7), 14)
    assert found.macs == 3 * 4 * 3 * 10
