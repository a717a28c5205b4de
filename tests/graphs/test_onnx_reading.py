"""ONNX files as computation graphs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from archatlas.errors import ArchatlasError
from archatlas.graphs.computation import OPERATORS, ComputationGraph, deployed
from archatlas.graphs.onnx_reading import read_onnx
from archatlas.graphs.recording import record
from archatlas.networks.blocks import ConvNorm, MBConv
from archatlas.networks.onnx_file import write_onnx
from archatlas.networks.onnx_graph import onnx_graph

SHAPE = (3, 8, 8)


def operators(graph: ComputationGraph) -> list[str]:
    return [OPERATORS[index] for index in graph.nodes["operator"]]


class SwiGLU(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        first, second = x.chunk(2, 1)
        return first * nn.functional.silu(second)


def write(
    path: Path,
    nodes: Sequence[Any],
    dims: Sequence[Any] = ("batch", *SHAPE),
    inputs: int = 1,
    opset: int = 18,
    **constants: Any,
) -> Path:
    """A file of one input x and one output y."""
    values = [
        helper.make_tensor_value_info("x" * number, TensorProto.FLOAT, list(dims)) for number in range(1, inputs + 1)
    ]
    result = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    held = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(list(nodes), "graph", values, result, held)
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("mine", 1)]
    path.write_bytes(helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString())
    return path


def unlike(module: nn.Module) -> nn.Module:
    """Weights of which no two are equal: the exporter keeps equal tensors once."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for tensor in (*module.parameters(), *module.buffers()):
            if tensor.is_floating_point():
                tensor.uniform_(0.5, 1.5, generator=generator)
    return module


def test_what_is_written_operator_by_operator_is_read_alike(tmp_path: Path) -> None:
    module = nn.Sequential(
        ConvNorm(3, 8, 3), MBConv(8, 8, kernel=5, expansion=2, squeeze_excitation=True), nn.MaxPool2d(2),
        nn.AdaptiveAvgPool2d(1),
    )  # fmt: skip
    file = tmp_path / "a.onnx"
    file.write_bytes(onnx_graph(module, SHAPE))
    assert read_onnx(file) == record(module, SHAPE)


def test_an_export_is_the_deployed_graph_of_its_module(tmp_path: Path) -> None:
    """PyTorch's exporter folds batch norms, and writes activations and linear maps of tokens by simpler operators."""

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(ConvNorm(3, 8, 3), nn.SiLU(), nn.Conv2d(8, 8, 3, groups=2), nn.GELU())
            self.mix, self.norm, self.head = nn.Linear(8, 8), nn.LayerNorm(8), nn.Linear(8, 5)

        def forward(self, x: Tensor) -> Tensor:
            tokens = self.layers(x).flatten(2).transpose(1, 2)
            return self.head((tokens + self.norm(self.mix(tokens))).mean(dim=1))

    module = unlike(Network())
    write_onnx(module, SHAPE, tmp_path / "a.onnx")
    assert read_onnx(tmp_path / "a.onnx", SHAPE) == deployed(record(module, SHAPE))


@pytest.mark.parametrize(
    "gated",
    [nn.GLU(dim=1), SwiGLU()],
)
def test_gated_units_are_exported_as_they_are_recorded(tmp_path: Path, gated: nn.Module) -> None:
    """The halves of a tensor are told apart: neither is gated by itself, unless an activation says so."""
    module = nn.Sequential(nn.Conv2d(3, 8, 3), gated, nn.Conv2d(4, 2, 1))
    write_onnx(module, SHAPE, tmp_path / "a.onnx")
    assert read_onnx(tmp_path / "a.onnx", SHAPE) == record(module, SHAPE)


@pytest.mark.parametrize("masked", [False, True])
def test_attention_is_what_pytorch_records(tmp_path: Path, masked: bool) -> None:
    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mask = nn.Parameter(torch.zeros(5, 5)) if masked else None

        def forward(self, x: Tensor) -> Tensor:
            heads = x.view(1, 5, 2, 8).transpose(1, 2)
            return nn.functional.scaled_dot_product_attention(heads, heads, heads, self.mask)

    given = ["x", "x", "x", *["mask"][: int(masked)]]
    node = helper.make_node("Attention", given, ["y"], q_num_heads=2, kv_num_heads=2)
    constants = {"mask": np.zeros((5, 5), np.float32)} if masked else {}
    graph = read_onnx(write(tmp_path / "a.onnx", [node], (1, 5, 16), opset=23, **constants))
    assert operators(graph) == ["input", "matmul", *["add"][: int(masked)], "softmax", "matmul"]
    assert (graph.macs, graph.params) == (2 * 2 * 5 * 5 * 8, 25 * masked)
    assert graph == record(Attention(), (5, 16))


def test_a_fixed_batch_counts_one_image(tmp_path: Path) -> None:
    node = helper.make_node("Conv", ["x", "w"], ["y"], strides=[2, 2])
    weight = np.zeros((4, 3, 2, 2), np.float32)
    many = read_onnx(write(tmp_path / "a.onnx", [node], (6, *SHAPE), w=weight))
    assert many == record(nn.Conv2d(3, 4, 2, 2, bias=False), SHAPE)


@pytest.mark.parametrize(
    ("dims", "asked"),
    [((1, 8, 12, 3), None), (("batch", 8, 12, 3), (3, 8, 12)), ((1, "height", "width", 3), (3, 8, 12))],
)
def test_channels_may_come_last(tmp_path: Path, dims: Sequence[Any], asked: tuple[int, ...] | None) -> None:
    nodes = [
        helper.make_node("Transpose", ["x"], ["first"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["first", "w"], ["y"], strides=[2, 2]),
    ]
    path = write(tmp_path / "a.onnx", nodes, dims, w=np.zeros((4, 3, 2, 2), np.float32))
    assert read_onnx(path, asked) == record(nn.Conv2d(3, 4, 2, 2, bias=False), (3, 8, 12))


@pytest.mark.parametrize("asked", [None, (6, 8, 12)])
@pytest.mark.parametrize("scaled", [False, True])
def test_images_of_many_bands_may_have_them_last(tmp_path: Path, scaled: bool, asked: tuple[int, ...] | None) -> None:
    nodes = [
        *([helper.make_node("Mul", ["x", "half"], ["s"])] if scaled else []),
        helper.make_node("Transpose", ["s" if scaled else "x"], ["t"], perm=[0, 3, 1, 2]),
        helper.make_node("Relu", ["t"], ["r"]),
        helper.make_node("Conv", ["r", "w"], ["y"], strides=[2, 2]),
    ]
    constants = {"half": np.float32(0.5), "w": np.zeros((4, 6, 2, 2), np.float32)}
    graph = read_onnx(write(tmp_path / "a.onnx", nodes, (1, 8, 12, 6), **constants), asked)
    assert graph == record(nn.Sequential(nn.ReLU(), nn.Conv2d(6, 4, 2, 2, bias=False)), (6, 8, 12))


def test_large_weights_are_not_needed(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.onnx", [helper.make_node("Conv", ["x", "w"], ["y"])], w=np.zeros((4, 3, 2, 2), np.float32)
    )
    import onnx

    model = onnx.load(str(path))
    (tensor,) = model.graph.initializer
    tensor.ClearField("raw_data")
    tensor.dims[:] = [1 << 30, 3, 2, 2]
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="nowhere.bin")
    path.write_bytes(model.SerializeToString())
    assert read_onnx(path).params == (1 << 30) * 12


def test_what_several_read_counts_once_and_no_reader_is_lost(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Mul", ["x", "v"], ["lost"]),
        helper.make_node("Mul", ["x", "v"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Mul", ["b", "v"], ["y"]),
    ]
    graph = read_onnx(write(tmp_path / "a.onnx", nodes, v=np.zeros(8, np.float32)))
    assert operators(graph) == ["input", "multiply", "relu", "multiply"]
    assert graph.nodes["params"].tolist() == [0, 8, 0, 0]


def branch(name: str, *nodes: Any, **constants: Any) -> Any:
    """A graph inside an operator, which gives z."""
    held = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    return helper.make_graph(list(nodes), name, [], [helper.make_tensor_value_info("z", 1, None)], held)


def choice(condition: str, then: Any, other: Any, gives: str = "y") -> Any:
    return helper.make_node("If", [condition], [gives], then_branch=then, else_branch=other)


@pytest.mark.parametrize("condition", [True, False])
@pytest.mark.parametrize("inside", [False, True])
def test_of_branches_that_a_constant_chooses_one_is_there(tmp_path: Path, inside: bool, condition: bool) -> None:
    """Twice, with one name inside for several values, and one in the other."""
    scaled = branch("scaled", helper.make_node("Mul", ["a", "v"], ["z"]), v=np.zeros((3, 1, 1), np.float32))
    inner = branch("inner", choice("no", branch("none", relu("z", "w")), branch("some", relu("z", "w")), "z"))
    nested = branch("nested", helper.make_node("Sigmoid", ["a"], ["w"]), choice("yes", inner, scaled, "z"))
    said = numpy_helper.from_array(np.array([condition]), "said")
    nodes = [
        *([helper.make_node("Constant", [], ["said"], value=said)] if inside else []),
        helper.make_node("Not", ["said"], ["no"]),
        helper.make_node("Not", ["no"], ["yes"]),
        helper.make_node("Tanh", ["x"], ["a"]),
        choice("yes", nested, scaled, "b"),
        helper.make_node("Tanh", ["b"], ["c"]),
        helper.make_node("Identity", ["c"], ["w"]),
        choice("no", branch("last", relu("z", "w")), branch("other", relu("z", "w"))),
    ]
    constants = {} if inside else {"said": np.array([condition])}
    graph = read_onnx(write(tmp_path / "a.onnx", nodes, **constants))
    chosen = ["sigmoid", "relu"] if condition else ["multiply"]
    assert operators(graph) == ["input", "tanh", *chosen, "tanh", "relu"]
    assert graph.params == (0 if condition else 3)


def test_a_choice_by_a_constant_of_no_known_type_is_none(tmp_path: Path) -> None:
    taken = branch("taken", relu("z"))
    file = write(tmp_path / "a.onnx", [choice("said", taken, taken)], said=np.array(True))
    model = onnx.load(file)
    model.graph.initializer[0].data_type = 80
    file.write_bytes(model.SerializeToString())
    with pytest.raises(ArchatlasError, match="decides by its data what runs"):
        read_onnx(file)


def test_inputs_that_nothing_reads_are_none(tmp_path: Path) -> None:
    file = write(tmp_path / "a.onnx", [relu("y", "xx")], inputs=3)
    assert operators(read_onnx(file)) == ["input", "relu"]


def test_names_of_classes_are_no_operator(tmp_path: Path) -> None:
    """scikit-learn's classifiers give a list of dictionaries, unless they are exported with ``zipmap=False``."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"]),
        helper.make_node("Softmax", ["h"], ["p"]),
        helper.make_node("ZipMap", ["p"], ["y"], domain="ai.onnx.ml", classlabels_int64s=[0, 1]),
    ]
    file = write(tmp_path / "a.onnx", nodes, (None, 4), w=np.zeros((4, 2), np.float32))
    model = onnx.load(file)
    model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 1))
    named = helper.make_tensor_type_proto(TensorProto.FLOAT, None)
    kind = onnx.TypeProto()
    kind.sequence_type.elem_type.map_type.key_type = TensorProto.INT64
    kind.sequence_type.elem_type.map_type.value_type.CopyFrom(named)
    model.graph.output[0].type.CopyFrom(kind)
    onnx.save(model, file)
    assert operators(read_onnx(file, (4,))) == ["input", "linear", "softmax"]


def relu(target: str = "y", source: str = "x") -> Any:
    return helper.make_node("Relu", [source], [target])


def test_branches_by_data_are_refused(tmp_path: Path) -> None:
    then, other = (
        helper.make_graph([relu("z")], name, [], [helper.make_tensor_value_info("z", 1, None)]) for name in "ab"
    )
    nodes = [
        helper.make_node("ReduceSum", ["x"], ["s"], keepdims=0),
        helper.make_node("Cast", ["s"], ["c"], to=TensorProto.BOOL),
        helper.make_node("If", ["c"], ["y"], then_branch=then, else_branch=other),
    ]
    with pytest.raises(ArchatlasError, match=r"decides by its data what runs \(If \(1\)\)"):
        read_onnx(write(tmp_path / "a.onnx", nodes))


def test_unknown_operators_are_named_and_counted(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Strange", ["x"], ["a"], domain="mine"),
        helper.make_node("Strange", ["a"], ["b"], domain="mine"),
        helper.make_node("Relux", ["b"], ["y"]),
    ]
    with pytest.raises(ArchatlasError, match=r"not known: Relux \(1\), mine\.Strange \(2\)"):
        read_onnx(write(tmp_path / "a.onnx", nodes))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda content: content[: len(content) // 2], "damaged"),
        (lambda content: b"\0" * 100, "damaged|holds no operators"),
        (lambda content: b"", "holds no operators"),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, change: Callable[[bytes], bytes], said: str) -> None:
    path = write(tmp_path / "a.onnx", [relu()])
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(ArchatlasError, match=said):
        read_onnx(path)


@pytest.mark.parametrize(
    "nodes",
    [
        [helper.make_node("Constant", [], [], value_float=1.0), relu()],
        [helper.make_node("Cast", [], ["c"], to=1), relu()],
        [helper.make_node("Tanh", ["m"], ["y"]), helper.make_node("Mul", ["x", "x", "x"], ["m"])],
    ],
)
def test_operators_without_what_they_need_are_damage(tmp_path: Path, nodes: list[Any]) -> None:
    with pytest.raises(ArchatlasError, match="damaged"):
        read_onnx(write(tmp_path / "a.onnx", nodes, SHAPE, opset=11))


def test_a_file_that_names_no_opset_of_onnx_is_read_or_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.onnx", [relu()])
    model = onnx.load(path)
    del model.opset_import[0]
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ArchatlasError, match="damaged"):
        read_onnx(path)


@pytest.mark.parametrize(
    ("given", "asked", "said"),
    [
        ({"dims": ("batch", 3, "height", "width")}, None, "--input"),
        ({"dims": (1, 3, 8, 8)}, (3, 9, 9), "takes images of shape 3x8x8, but got 3x9x9"),
        ({"inputs": 2}, None, r"must have one input that is read, but has 2 \(x, xx\)"),
    ],
)
def test_other_inputs_are_refused(
    tmp_path: Path, given: dict[str, Any], asked: tuple[int, ...] | None, said: str
) -> None:
    reads = helper.make_node("Sum", ["x" * number for number in range(1, 1 + given.get("inputs", 1))], ["y"])
    file = write(tmp_path / "a.onnx", [reads], **given)
    with pytest.raises(ArchatlasError, match=said):
        read_onnx(file, asked)


def test_shapes_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    node = helper.make_node("Conv", ["x", "w"], ["y"])
    with pytest.raises(ArchatlasError, match="damaged"):
        read_onnx(write(tmp_path / "a.onnx", [node], w=np.zeros((4, 3, 2, 2, 2), np.float32)))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArchatlasError, match="there is no file"):
        read_onnx(tmp_path / "a.onnx")


def test_sizes_that_older_opsets_compute_are_followed(tmp_path: Path) -> None:
    """``x.view(x.size(0), -1)`` as PyTorch's older exporter writes it: ONNX alone does not know its shape."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Shape", ["c"], ["s"]),
        helper.make_node("Gather", ["s", "zero"], ["n"], axis=0),
        helper.make_node("Unsqueeze", ["n"], ["u"], axes=[0]),
        helper.make_node("Concat", ["u", "rest"], ["t"], axis=0),
        helper.make_node("Reshape", ["c", "t"], ["f"]),
        helper.make_node("Gemm", ["f", "v"], ["y"]),
    ]
    given = {"w": np.zeros((4, 3, 3, 3), np.float32), "v": np.zeros((256, 10), np.float32)}
    file = write(tmp_path / "a.onnx", nodes, opset=11, zero=np.int64(0), rest=np.array([-1]), **given)
    graph = read_onnx(file)
    assert operators(graph) == ["input", "convolution", "linear"]
    assert (graph.params, graph.macs) == (108 + 2560, 108 * 64 + 2560)


def test_onnx_by_its_full_name_and_open_sides_of_minus_one(tmp_path: Path) -> None:
    node = helper.make_node("Relu", ["x"], ["y"], domain="ai.onnx")
    assert operators(read_onnx(write(tmp_path / "a.onnx", [node], dims=(1, 3, -1, -1)), SHAPE)) == ["input", "relu"]


def test_a_deformable_convolution_by_hand(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "u"], ["o"], pads=[1, 1, 1, 1]),
        helper.make_node("DeformConv", ["x", "w", "o", "b"], ["y"], pads=[1, 1, 1, 1]),
    ]
    weights = {"u": (18, 3, 3, 3), "w": (4, 3, 3, 3), "b": (4,)}
    file = write(
        tmp_path / "a.onnx", nodes, opset=19, **{name: np.zeros(size, np.float32) for name, size in weights.items()}
    )
    graph = read_onnx(file)
    assert (operators(graph), graph.edges.T.tolist()) == (
        ["input", "convolution", "convolution"],
        [[0, 1], [0, 2], [1, 2]],
    )
    assert graph.nodes[["bias", "params", "macs"]][2].tolist() == (True, 108 + 4, 64 * 108)


def test_channels_are_those_that_weights_are_for(tmp_path: Path) -> None:
    """Also where a file leaves all axes open and has channels last, as exports of TensorFlow do."""
    convolution = helper.make_node("Conv", ["c", "w"], ["y"])
    first = [helper.make_node("Relu", ["x"], ["c"]), convolution]
    last = [helper.make_node("Transpose", ["x"], ["c"], perm=[0, 3, 1, 2]), convolution]
    weights = {"w": np.zeros((4, 3, 1, 1), np.float32)}
    opened = ("n", "a", "b", "c")
    for number, nodes in enumerate((first, last)):
        graph = read_onnx(write(tmp_path / f"{number}.onnx", nodes, dims=opened, **weights), (3, 8, 6))
        assert graph.macs == 3 * 4 * 48
    with pytest.raises(ArchatlasError, match=r"for 3 channels, but it is handed 1: say which images"):
        read_onnx(tmp_path / "0.onnx", (1, 8, 6))


@pytest.mark.parametrize(
    ("equation", "weight", "params", "macs"),
    [
        ("bchw,wk->bchk", (8, 4), 32, 24 * 32),
        ("...w,wk->...k", (8, 4), 32, 24 * 32),
        ("...hw,...hw->...", (3, 8, 8), 192, 192),
        ("b...w,...wk->b...k", (1, 8, 8, 5), 320, 24 * 40),
        ("bchw,hw->bc", (8, 8), 64, 192),
    ],
)
def test_sums_of_products_by_hand(
    tmp_path: Path, equation: str, weight: tuple[int, ...], params: int, macs: int
) -> None:
    node = helper.make_node("Einsum", ["x", "w"], ["y"], equation=equation)
    file = write(tmp_path / "a.onnx", [node], w=np.zeros(weight, np.float32))
    graph = read_onnx(file, SHAPE)
    assert (graph.params, graph.macs) == (params, macs)


@pytest.mark.parametrize(
    ("nodes", "weight", "channels", "macs"),
    [
        ([("MatMul", ["x", "w"])], (8,), (8, 1), 24 * 8),
        ([("Transpose", ["x"]), ("MatMul", ["w", "t"])], (8,), (8, 1), 24 * 8),
        ([("Transpose", ["x"]), ("MatMul", ["w", "t"])], (5, 8), (8, 5), 24 * 8 * 5),
    ],
)
def test_products_with_a_vector_give_one_channel(
    tmp_path: Path, nodes: list[Any], weight: tuple[int, ...], channels: tuple[int, int], macs: int
) -> None:
    made = [
        helper.make_node(kind, reads, ["y" if kind == "MatMul" else "t"], **({} if kind == "MatMul" else TURN))
        for kind, reads in nodes
    ]
    graph = read_onnx(write(tmp_path / "a.onnx", made, (1, *SHAPE), w=np.zeros(weight, np.float32)))
    assert operators(graph) == ["input", "linear"]
    assert tuple(graph.nodes[["channels_in", "channels_out"]][1].tolist()) == channels
    assert (graph.params, graph.macs) == (np.prod(weight), macs)


TURN = {"perm": [0, 1, 3, 2]}


@pytest.mark.parametrize(
    "like",
    [
        [helper.make_node("CastLike", ["w", "x"], ["c"])],
        [
            helper.make_node("ReduceMax", ["x"], ["s"], keepdims=0),
            helper.make_node("DequantizeLinear", ["w", "s"], ["c"]),
        ],
    ],
)
def test_a_constant_that_is_made_like_the_image_is_not_the_image(tmp_path: Path, like: list[Any]) -> None:
    nodes = [*like, helper.make_node("Mul", ["x", "c"], ["y"])]
    graph = read_onnx(write(tmp_path / "a.onnx", nodes, w=np.ones((3, 1, 1), np.int8)))
    assert operators(graph) == ["input", "multiply"]
    assert (graph.params, graph.edges.T.tolist()) == (3, [[0, 1]])


def quantisable(path: Path) -> Path:
    """Convolutions with a bias, and a matrix product."""
    nodes = [
        helper.make_node("Conv", ["x", "v", "b"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("Conv", ["r", "w", "d"], ["f"]),
        helper.make_node("Sigmoid", ["f"], ["g"]),
        helper.make_node("Flatten", ["g"], ["h"]),
        helper.make_node("MatMul", ["h", "m"], ["y"]),
    ]
    sizes = {"v": (4, 3, 3, 3), "b": (4,), "w": (5, 4, 3, 3), "d": (5,), "m": (180, 7)}
    generator = np.random.default_rng(0)
    weights = {name: generator.normal(size=size).astype(np.float32) for name, size in sizes.items()}
    return write(path, nodes, (1, *SHAPE), opset=13, **weights)


@pytest.mark.parametrize("per_channel", [False, True])
def test_a_file_that_is_quantised_as_it_runs_reads_as_it_did(tmp_path: Path, per_channel: bool) -> None:
    from onnxruntime.quantization import quantize_dynamic

    file, copy = quantisable(tmp_path / "a.onnx"), tmp_path / "b.onnx"
    quantize_dynamic(file, copy, per_channel=per_channel)
    assert "ConvInteger" in {node.op_type for node in onnx.load(copy).graph.node}
    assert read_onnx(copy) == read_onnx(file)


class OneImage:
    """What onnxruntime calibrates on."""

    def __init__(self) -> None:
        self.images = iter([{"x": np.ones((1, *SHAPE), np.float32)}])

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self.images, None)

    def set_range(self, start_index: int, end_index: int) -> None:
        pass


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("in_pairs", [False, True])
def test_a_file_that_is_quantised_reads_as_it_did_but_for_its_relu(
    tmp_path: Path, in_pairs: bool, per_channel: bool
) -> None:
    """A ReLU is where the numbers of eight bits begin."""
    from onnxruntime.quantization import QuantFormat, quantize_static

    file, copy = quantisable(tmp_path / "a.onnx"), tmp_path / "b.onnx"
    form = QuantFormat.QDQ if in_pairs else QuantFormat.QOperator
    quantize_static(
        file, copy, OneImage(), form, per_channel=per_channel, op_types_to_quantize=["Conv", "Relu", "MatMul"]
    )
    graph, before = read_onnx(copy), read_onnx(file)
    assert operators(graph) == ["input", "convolution", "convolution", "sigmoid", "linear"]
    assert (graph.nodes == before.nodes[[0, 1, 3, 4, 5]]).all()


@pytest.mark.parametrize("kind", ["UINT4", "INT4", "FLOAT4E2M1", "INT8"])
@pytest.mark.parametrize("inside", [False, True])
def test_quantised_weights_in_an_operator_are_parameters(tmp_path: Path, kind: str, inside: bool) -> None:
    types = {"UINT4": TensorProto.UINT4, "INT4": TensorProto.INT4, "FLOAT4E2M1": TensorProto.FLOAT4E2M1}
    tensor = helper.make_tensor("q", types.get(kind, TensorProto.INT8), (8, 6), [1] * 48)
    nodes = [
        *([helper.make_node("Constant", [], ["q"], value=tensor)] if inside else []),
        helper.make_node("DequantizeLinear", ["q", "scale", *["zero"][: kind == "INT8"]], ["w"], axis=1),
        helper.make_node("MatMul", ["x", "w"], ["y"]),
    ]
    constants = {"scale": np.ones(6, np.float32), "zero": np.zeros(6, np.int8)}
    file = write(tmp_path / "a.onnx", nodes, opset=23, **constants)
    if not inside:
        model = onnx.load(file)
        model.graph.initializer.append(tensor)
        onnx.save(model, file)
    graph = read_onnx(file)
    assert (operators(graph), graph.params, graph.macs) == (["input", "linear"], 48, 24 * 48)


def test_numbers_in_an_attribute_and_complex_ones_are_parameters(tmp_path: Path) -> None:
    listed = helper.make_node("Constant", [], ["v"], value_floats=[0.5] * 8)
    graph = read_onnx(write(tmp_path / "a.onnx", [listed, helper.make_node("Mul", ["x", "v"], ["y"])]), SHAPE)
    assert (operators(graph), graph.params) == (["input", "multiply"], 8)
    complex_weights = np.ones((3, 8, 8), np.complex64)
    product = helper.make_node("Mul", ["x", "w"], ["y"])
    assert read_onnx(write(tmp_path / "b.onnx", [product], w=complex_weights), SHAPE).params == 192
