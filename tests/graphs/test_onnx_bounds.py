"""Small ONNX files that ask for much: refused, or read without taking it."""

from __future__ import annotations

import resource
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from archatlas.errors import ArchatlasError
from archatlas.graphs.onnx_reading import read_onnx

made = helper.make_node


def write(path: Path, nodes: Sequence[Any], functions: Sequence[Any] = (), **constants: Any) -> Path:
    """A file of an image x and a result y, whose functions are of the domain ``mine``."""
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    held = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(list(nodes), "graph", [image], [result], held)
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("mine", 1)]
    model = helper.make_model(graph, opset_imports=opsets, functions=list(functions), ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def function(name: str, *body: Any) -> Any:
    """A function from a to b."""
    return helper.make_function("mine", name, ["a"], ["b"], list(body), [helper.make_opsetid("", 13), *MINE])


MINE = [helper.make_opsetid("mine", 1)]


def call(name: str, given: str = "a", gives: str = "b") -> Any:
    return made(name, [given], [gives], domain="mine")


def doubling(levels: int) -> list[Any]:
    return [
        function("f0", made("Relu", ["a"], ["b"])),
        *(
            function(f"f{level}", call(f"f{level - 1}", gives="c"), call(f"f{level - 1}", given="c"))
            for level in range(1, levels)
        ),
    ]


def constant(count: int) -> Any:
    return made("Constant", [], ["c"], value=numpy_helper.from_array(np.zeros(count, np.float32)))


def test_functions_are_put_in_the_place_of_their_calls(tmp_path: Path) -> None:
    graph = read_onnx(write(tmp_path / "a.onnx", [call("f3", "x", "y")], doubling(4)))
    assert len(graph.nodes) == len(read_onnx(write(tmp_path / "b.onnx", [call("f0", "x", "y")], doubling(1))).nodes) + 7


HEAVY = function("heavy", constant(2**18), made("ReduceSum", ["c"], ["s"]), made("Add", ["a", "s"], ["b"]))
REFUSED = {
    r"has 16,777,216 operators; at most 100,000 are read": ([call("f24", "x", "y")], doubling(25)),
    r"has 1,000,000,000,000 operators": ([call("f80", "x", "y")], doubling(81)),
    r"its function f calls itself": (
        [call("f", "x", "y")],
        [function("f", call("g")), function("g", call("f"))],
    ),
    r"its function f899 calls others, more than 100 deep": (
        [call("f999", "x", "y")],
        [function("f0", made("Relu", ["a"], ["b"])), *(function(f"f{n}", call(f"f{n - 1}")) for n in range(1, 1000))],
    ),
    r"has 1,0\d\d,\d\d\d,\d\d\d bytes once its functions stand where they are called": (
        [call("heavy", f"x{n}" if n else "x", f"x{n + 1}" if n < 999 else "y") for n in range(1000)],
        [HEAVY],
    ),
}


@pytest.mark.parametrize("told", REFUSED)
def test_functions_that_multiply_are_counted_before_they_are_copied(told: str, tmp_path: Path) -> None:
    with pytest.raises(ArchatlasError, match=told) as refused:
        read_onnx(write(tmp_path / "a.onnx", *REFUSED[told]))
    assert len(str(refused.value)) < 200


ONE = helper.make_tensor("one", TensorProto.INT64, [1], [1])
UNKNOWN_TO_ONNX = [
    made("Shape", ["x"], ["shape"]),
    made("Equal", ["shape", "shape"], ["equal"]),
    made("Where", ["equal", "shape", "shape"], ["again"]),
    made("Reshape", ["x", "again"], ["image"]),
]
SUMMED = [
    made("ReduceSum", ["long"], ["sum"], keepdims=0),
    made("Cast", ["sum"], ["number"], to=TensorProto.FLOAT),
    made("Add", ["image", "number"], ["y"]),
]
MANY = np.array([2**28])
ASKED: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "filled": ([made("ConstantOfShape", ["size"], ["long"], value=ONE)], {"size": MANY}),
    "filled as computed": (
        [
            made("ReduceProd", ["again"], ["pixels"], axes=[0]),
            made("Mul", ["pixels", "size"], ["product"]),
            made("ConstantOfShape", ["product"], ["long"], value=ONE),
        ],
        {"size": MANY},
    ),
    "expanded": ([made("Expand", ["few", "size"], ["long"])], {"few": np.array([1]), "size": MANY}),
    "tiled": ([made("Tile", ["few", "size"], ["long"])], {"few": np.array([1]), "size": MANY}),
    "counted up": (
        [made("Range", ["from", "size", "step"], ["long"])],
        {"from": np.array(0), "size": np.array(2**28), "step": np.array(1)},
    ),
    "doubled": (
        [
            made("Identity", ["again"], ["v0"]),
            *(made("Concat", [f"v{n}", f"v{n}"], [f"v{n + 1}"], axis=0) for n in range(26)),
            made("Identity", ["v26"], ["long"]),
        ],
        {},
    ),
    "joined": ([made("Concat", ["few"] * 50_000, ["long"], axis=0)], {"few": np.arange(1000)}),
    "squared": (
        [
            made("Identity", ["again"], ["v0"]),
            *(made("Mul", [f"v{n}", f"v{n}"], [f"v{n + 1}"]) for n in range(40)),
            made("Identity", ["v40"], ["long"]),
        ],
        {},
    ),
}


@pytest.mark.parametrize("name", ASKED)
def test_long_vectors_and_large_numbers_are_not_made(name: str, tmp_path: Path) -> None:
    nodes, constants = ASKED[name]
    path = write(tmp_path / "a.onnx", [*UNKNOWN_TO_ONNX, *nodes, *SUMMED], **constants)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with suppress(ArchatlasError):  # What it adds up to may then be unknown.
        read_onnx(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300 * 1024  # KiB; with the library's own.
