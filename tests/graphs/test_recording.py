"""Modules as computation graphs."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from archatlas.errors import ArchatlasError
from archatlas.graphs.computation import OPERATORS, ComputationGraph
from archatlas.graphs.recording import _no_autocast, record
from archatlas.networks.blocks import ConvNorm, MBConv
from archatlas.networks.counting import count_module


def operators(graph: ComputationGraph) -> list[str]:
    return [OPERATORS[index] for index in graph.nodes["operator"]]


class Forward(nn.Module):
    """Does what it is given, with a convolution at hand."""

    def __init__(self, forward: Callable[[nn.Module, Tensor], object]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.compute = forward

    def forward(self, x: Tensor) -> object:
        return self.compute(self, x)


def test_a_convolution_by_hand() -> None:
    graph = record(nn.Conv2d(4, 8, (3, 5), stride=2, padding=(1, 2), groups=2), (4, 8, 8))
    assert operators(graph) == ["input", "convolution"]
    names = graph.nodes.dtype.names
    assert names is not None
    assert dict(zip(names[1:], graph.nodes[1].tolist()[1:], strict=True)) == {
        "channels_in": 4, "channels_out": 8, "places_in": 64, "places_out": 16, "kernel_height": 3, "kernel_width": 5,
        "stride_height": 2, "stride_width": 2, "groups": 2, "bias": True, "params": 8 * 2 * 15 + 8,
        "macs": 16 * 8 * 2 * 15,
    }  # fmt: skip


def test_depthwise_convolutions_of_ours_and_pytorchs_are_alike() -> None:
    ours = record(ConvNorm(8, 8, 3, groups=8), (8, 4, 4))
    theirs = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False), nn.BatchNorm2d(8), nn.ReLU())
    assert ours == record(theirs, (8, 4, 4))
    assert ours.depthwise.tolist() == [False, True, False, False]


@pytest.mark.parametrize(
    ("module", "shape"),
    [
        (MBConv(8, 16, kernel=5, expansion=3, stride=2, squeeze_excitation=True), (8, 9, 9)),
        (nn.Sequential(nn.ConvTranspose2d(3, 6, 2, stride=2, groups=3), nn.Flatten(), nn.Linear(384, 5)), (3, 4, 4)),
        (nn.TransformerEncoderLayer(16, 2, dim_feedforward=32, batch_first=True), (5, 16)),
    ],
)
def test_costs_are_those_that_pytorch_counts(module: nn.Module, shape: tuple[int, ...]) -> None:
    graph, counted = record(module, shape), count_module(lambda: module.to("meta"), shape)
    assert (graph.macs, graph.params) == (counted.macs, counted.params)


def test_in_place_operators_change_what_others_see() -> None:
    def forward(module: nn.Module, x: Tensor) -> Tensor:
        y = module.conv(x)
        view = y.view(1, -1)
        view.relu_()
        return y.sigmoid()

    assert operators(record(Forward(forward), (3, 4, 4))) == ["input", "convolution", "relu", "sigmoid"]


def test_what_is_written_into_one_part_leaves_the_others() -> None:
    layers = nn.ModuleList(nn.Conv2d(2, 2, 1) for _ in range(2))

    def forward(module: nn.Module, x: Tensor) -> Tensor:
        first, second = module.conv(x).chunk(2, 1)
        first.copy_(layers[0](first))
        return torch.cat([first, layers[1](second)], 1)

    graph = record(Forward(forward), (3, 4, 4))
    assert operators(graph) == ["input", "convolution", "slice", "convolution", "convolution", "concat"]
    assert graph.edges.T.tolist() == [[0, 1], [1, 2], [2, 3], [2, 4], [3, 5], [4, 5]]


def test_the_whole_sees_what_was_written_into_its_parts() -> None:
    def forward(module: nn.Module, x: Tensor) -> Tensor:
        y = module.conv(x)
        y[:, :1].relu_()
        y[:, 1:2].tanh_()
        return y.sigmoid()

    graph = record(Forward(forward), (3, 4, 4))
    assert operators(graph) == ["input", "convolution", "slice", "relu", "slice", "tanh", "concat", "sigmoid"]
    assert graph.edges.T.tolist() == [[0, 1], [1, 2], [2, 3], [1, 4], [4, 5], [1, 6], [3, 6], [5, 6], [6, 7]]


@pytest.mark.parametrize(
    "gated", [lambda y: nn.functional.glu(y, 1), lambda y: (lambda a, b: a * b.sigmoid())(*y.chunk(2, 1))]
)
def test_gated_linear_units_are_no_activations(gated: Callable[[Tensor], Tensor]) -> None:
    graph = record(Forward(lambda module, x: gated(module.conv(x))), (3, 4, 4))
    assert operators(graph) == ["input", "convolution", "slice", "sigmoid", "multiply"]
    assert graph.edges.T.tolist() == [[0, 1], [1, 2], [2, 3], [2, 4], [3, 4]]
    assert graph.nodes[["channels_in", "channels_out"]].tolist()[2:] == [(4, 2), (2, 2), (2, 2)]


def test_what_does_not_depend_on_the_input_is_no_node() -> None:
    class Positions(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Parameter(torch.zeros(4, 3))
            self.scale = nn.Parameter(torch.ones(3))

        def forward(self, x: Tensor) -> Tensor:
            grid = torch.arange(4).float()[:, None].sin()
            return (x + grid + self.table.exp()) * self.scale + self.scale

    graph = record(Positions(), (4, 3))
    assert operators(graph) == ["input", "add", "multiply", "add"]
    assert graph.nodes["params"].tolist() == [0, 12, 3, 0]


def test_networks_that_write_one_function_differently_are_alike() -> None:
    written = Forward(lambda module, x: module.conv(x) * 1.0 if False else (lambda y: y * y.sigmoid())(module.conv(x)))
    named = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.SiLU(inplace=True), nn.Dropout())
    assert record(written, (3, 4, 4)) == record(named, (3, 4, 4))


SQUARE = torch.eye(4, dtype=torch.bool)
ORDINARY: dict[str, tuple[Callable[[Tensor], Tensor], list[str]]] = {
    "a constant mask": (lambda y: y.masked_fill(SQUARE, -1e9).tril(), []),
    "a constant choice": (lambda y: torch.where(SQUARE, y, 0.0), []),
    "a choice by others": (lambda y: torch.where(y.mean(1, keepdim=True) > 0, y, 0.0), ["reduce", "clip", "clip"]),
    "a leaky ReLU": (lambda y: torch.where(y > 0, y, 0.1 * y), ["clip"]),
    "a ReLU": (lambda y: y.masked_fill_(y < 0, 0.0), ["clip"]),
    "a ReLU by indices": (lambda y: y.index_put_((y < 0,), y.new_zeros(())), ["clip", "gather"]),
    "a gate": (lambda y: y * (y > 0), ["hard_swish"]),
    "Mish": (nn.functional.mish, ["silu"]),
    "Mish in steps": (lambda y: y * nn.functional.softplus(y).tanh(), ["silu"]),
    "no Mish": (lambda y: y * nn.functional.softplus(y.relu()).tanh(), ["relu", "sigmoid", "tanh", "multiply"]),
    "noise": (lambda y: y + torch.rand_like(y) * torch.empty_like(y).normal_(), []),
    "drop path": (lambda y: y * y.new_empty(1, 4, 1, 1).bernoulli_(0.5), []),
    "a grid": (lambda y: y + y.new_ones(4, 4).cumsum(0) / y.new_full((), 2.0), []),
    "zeros": (lambda y: y + y.clone().zero_(), ["fill", "add"]),
    "a random slope": (nn.functional.rrelu, ["leaky_relu"]),
    "shrinkage": (lambda y: nn.functional.hardshrink(nn.functional.softshrink(y.sign())), ["clip"] * 3),
    "sines": (lambda y: y.sin() * y.cos(), ["power", "power", "multiply"]),
    "one hot": (lambda y: y * nn.functional.one_hot(y.argmax(-1), 4), ["reduce", "clip", "multiply"]),
    "rounding": (lambda y: y.round().floor() // 2, []),
    "pooling by a norm": (
        lambda y: nn.functional.lp_pool2d(y, 2, 2),
        ["power", "average_pool", "clip", "power", "relu", "multiply", "power"],
    ),
    "flat maps": (lambda y: nn.functional.pad(y[:, :, None], (1,) * 6, mode="replicate"), ["pad"]),
    "unpooling": (
        lambda y: nn.functional.max_unpool2d(*nn.functional.max_pool2d(y, 2, return_indices=True), 2),
        ["max_pool", "upsample"],
    ),
}


@pytest.mark.parametrize("name", ORDINARY)
def test_what_ordinary_networks_are_made_of_is_known(name: str) -> None:
    forward, expected = ORDINARY[name]
    graph = record(Forward(lambda module, x: forward(module.conv(x))), (3, 4, 4))
    assert operators(graph) == ["input", "convolution", *expected]


def test_a_learned_token_in_the_place_of_some_numbers_is_read() -> None:
    class Masked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.token = nn.Parameter(torch.zeros(3, 1, 1))

        def forward(self, x: Tensor) -> Tensor:
            return torch.where(SQUARE, x, self.token)

    graph = record(Masked(), (3, 4, 4))
    assert (operators(graph), graph.params) == (["input", "clip"], 3)


class Shares(nn.Module):
    """Blocks that share positions and a head, of which the first readings lead nowhere."""

    def __init__(self) -> None:
        super().__init__()
        self.places = nn.Parameter(torch.zeros(4, 3))
        self.blocks, self.head = nn.ModuleList(nn.Linear(3, 3) for _ in range(2)), nn.Linear(3, 5)

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x + self.places)
            found = self.head(x)
        return found


def test_what_several_read_counts_once_and_no_reader_is_lost() -> None:
    graph = record(Shares(), (4, 3))
    assert operators(graph) == ["input", "add", "linear", "add", "linear", "linear"]
    assert graph.nodes["params"].tolist() == [0, 12, 12, 0, 12, 20]
    assert graph.params == sum(parameter.numel() for parameter in Shares().parameters())


class Assembled(nn.Module):
    """Kernels that are put together from parameters, and a token that is written before others."""

    def __init__(self, device: str | None = "meta") -> None:
        super().__init__()
        self.middle, self.edge = nn.Parameter(torch.zeros(4, 3)), nn.Parameter(torch.zeros(4, 3))
        self.token, self.device = nn.Parameter(torch.zeros(1, 4)), device

    def forward(self, x: Tensor) -> Tensor:
        kernel = torch.zeros(4, 3, 3, 3, device=self.device)
        kernel[:, :, 1, 1] = self.middle
        kernel[:, :, 0, 0].add_(self.edge)
        tokens = nn.functional.conv2d(x, kernel, padding=1).flatten(2).transpose(1, 2)
        tokens[:, 0] = self.token
        return tokens.relu()


@pytest.mark.parametrize("device", ["meta", None])
def test_what_is_put_together_from_parameters_holds_them(device: str | None) -> None:
    graph = record(Assembled(device), (3, 4, 4))
    assert operators(graph) == ["input", "convolution", "slice", "concat", "relu"]
    assert graph.nodes["params"].tolist() == [0, 24, 0, 0, 4]


@pytest.mark.parametrize("device", ["meta", None])
@pytest.mark.parametrize("view", [False, True])
def test_what_an_operator_is_handed_for_its_result_is_no_operand(view: bool, device: str | None) -> None:
    def forward(module: nn.Module, x: Tensor) -> Tensor:
        y, made = module.conv(x)[0], torch.zeros(4, 4, 4, device=device)
        torch.bmm(y, y.transpose(1, 2), out=made.view(4, 4, 4) if view else made)
        return made.relu()

    graph = record(Forward(forward), (3, 4, 4))
    assert operators(graph) == ["input", "convolution", "matmul", "relu"]
    assert graph.nodes["macs"].tolist()[2:] == [4 * 4 * 4 * 4, 0]


WEIGHTS = torch.zeros(2, 16, 5)
PRODUCTS: dict[str, tuple[Callable[[Tensor], Tensor], str, tuple[int, int], int]] = {
    "by a vector": (lambda x: x @ WEIGHTS[0, :, 0], "linear", (16, 1), 8 * 16),
    "of a vector": (lambda x: WEIGHTS[0, :8, 0] @ x, "linear", (8, 1), 8 * 16),
    "of vectors": (lambda x: x[0] @ x[1], "matmul", (16, 1), 16),
    "with a bias": (lambda x: torch.addmv(torch.zeros(8), x, WEIGHTS[0, :, 0]), "linear", (16, 1), 8 * 16),
    "added up": (lambda x: torch.addbmm(torch.zeros(8, 5), x.expand(2, 8, 16), WEIGHTS), "linear", (16, 5), 2 * 8 * 80),
    "distances": (lambda x: torch.cdist(x, WEIGHTS[0].T), "linear", (16, 5), 8 * 16 * 5),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_of_vectors_and_sums_of_products_cost(name: str) -> None:
    forward, operator, channels, macs = PRODUCTS[name]
    graph = record(Forward(lambda module, x: forward(x.view(8, 16))), (8, 16))
    assert operators(graph)[-1] == operator
    assert tuple(graph.nodes[["channels_in", "channels_out"]][-1].tolist()) == channels
    assert graph.macs == macs


def test_a_bilinear_layer_by_hand() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bilinear = nn.Bilinear(3, 5, 7)

        def forward(self, x: Tensor) -> Tensor:
            return self.bilinear(x[:, :, :3], x[:, :, 3:])

    graph = record(Two(), (4, 8))
    assert operators(graph) == ["input", "slice", "slice", "linear"]
    assert (graph.params, graph.macs, bool(graph.nodes["bias"][3])) == (3 * 5 * 7 + 7, 4 * 3 * 5 * 7, True)


def test_a_deformable_convolution_by_hand() -> None:
    """As torchvision's is called, which is not needed here."""
    torch.library.define(
        "archatlas_tests::deform_conv2d",
        "(Tensor input, Tensor weight, Tensor offset, Tensor mask, Tensor bias, SymInt stride_h, SymInt stride_w, "
        "SymInt pad_h, SymInt pad_w, SymInt dilation_h, SymInt dilation_w, SymInt groups, SymInt offset_groups, "
        "bool use_mask) -> Tensor",
    )
    torch.library.impl("archatlas_tests::deform_conv2d", "Meta", lambda x, weight, *rest: x.new_empty(1, 6, 4, 2))

    class Deformable(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.offsets = nn.Conv2d(4, 18, 3, (1, 2), 1)
            self.weight, self.bias = nn.Parameter(torch.zeros(6, 2, 3, 3)), nn.Parameter(torch.zeros(6))

        def forward(self, x: Tensor) -> Tensor:
            convolve = torch.ops.archatlas_tests.deform_conv2d
            mask = torch.zeros(1, 1)
            return convolve(x, self.weight, self.offsets(x), mask, self.bias, 1, 2, 1, 1, 1, 1, 2, 1, False)

    graph = record(Deformable(), (4, 4, 4))
    assert operators(graph) == ["input", "convolution", "convolution"]
    assert graph.edges.T.tolist() == [[0, 1], [0, 2], [1, 2]]
    node = graph.nodes[["channels_in", "channels_out", "stride_height", "stride_width", "groups", "params", "macs"]][2]
    assert node.tolist() == (4, 6, 1, 2, 2, 6 * 18 + 6, 8 * 6 * 18)


def test_channels_of_zeros_are_padding() -> None:
    """As in the shortcuts A of He et al. (2016)."""

    def forward(module: nn.Module, x: Tensor) -> Tensor:
        y = module.conv(x)
        return torch.cat([y[:, :, ::2], torch.zeros(1, 4, 2, 4, device=x.device)], 1)

    graph = record(Forward(forward), (3, 4, 4))
    assert operators(graph) == ["input", "convolution", "slice", "pad"]
    assert graph.nodes[["channels_in", "channels_out", "places_out"]][3].tolist() == (4, 8, 8)


def test_the_module_stays_as_it_is() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4).eval(), nn.ReLU(inplace=True))
    seen: list[int] = []
    module[2].register_forward_hook(lambda *_: seen.append(1))
    module.register_buffer("remembered", torch.ones(2))
    before = {name: (value.device, value.clone()) for name, value in module.state_dict().items()}
    record(module, (3, 8, 8))
    assert [part.training for part in module] == [True, False, True]
    assert all(value.device == before[name][0] for name, value in module.state_dict().items())
    assert all(torch.equal(value, before[name][1]) for name, value in module.state_dict().items())
    assert len(module[2]._forward_hooks) == 1
    assert module(torch.zeros(2, 3, 8, 8)).device.type == "cpu"


def test_what_a_forward_pass_remembers_stays_with_the_copy() -> None:
    def forward(module: nn.Module, x: Tensor) -> Tensor:
        module.kept = x
        return module.conv(x)

    module = Forward(forward)
    record(module, (3, 4, 4))
    assert not hasattr(module, "kept")


def test_several_outputs_of_any_containers() -> None:
    graph = record(Forward(lambda module, x: {"a": [module.conv(x).relu()], "b": (x.tanh(),)}), (3, 4, 4))
    assert sorted(operators(graph)) == ["convolution", "input", "relu", "tanh"]


@dataclass
class Answer:
    logits: Tensor
    hidden: tuple[Tensor, ...] = ()
    length: int = 1


def test_outputs_in_a_data_class() -> None:
    graph = record(Forward(lambda module, x: Answer(module.conv(x).relu(), (x.tanh(),))), (3, 4, 4))
    assert sorted(operators(graph)) == ["convolution", "input", "relu", "tanh"]


def test_inference_mode_in_a_forward_pass_changes_no_graph() -> None:
    """PyTorch then hands on ``linear`` and ``scaled_dot_product_attention`` as they are."""

    class Attention(nn.Module):
        def __init__(self, inference: bool) -> None:
            super().__init__()
            self.linear, self.inference = nn.Linear(8, 8), inference

        def forward(self, x: Tensor) -> Tensor:
            with torch.inference_mode(self.inference):
                heads = self.linear(x).unflatten(2, (2, 4)).transpose(1, 2)
                return nn.functional.scaled_dot_product_attention(heads, heads, heads)

    graph = record(Attention(True), (5, 8))
    assert graph == record(Attention(False), (5, 8))
    assert graph.macs == 5 * 64 + 2 * 2 * 25 * 4


def test_large_modules_take_no_memory() -> None:
    with torch.device("meta"):
        huge = nn.Linear(1 << 20, 1 << 20)
    assert record(huge, (1 << 20,)).params == (1 << 40) + (1 << 20)


@pytest.mark.parametrize(
    ("forward", "said"),
    [
        (lambda module, x: module.conv(x) if x.sum() > 0 else x, "decides by the numbers"),
        (lambda module, x: x[: int(x.mean())], "decides by the numbers"),
        (lambda module, x: x[x > 0], "decides by the numbers"),
        (lambda module, x: x.numpy(), "decides by the numbers"),
        (lambda module, x: module.conv(x).view(7, -1), r"does not run on an image of shape 3x4x4.*--input"),
        (lambda module, x: torch.ones(3), "does not depend on its input"),
        (lambda module, x: object(), "an object of type object in which no tensors are found"),
    ],
)
def test_each_refusal_is_one_message(forward: Callable[[nn.Module, Tensor], object], said: str) -> None:
    with pytest.raises(ArchatlasError, match=said):
        record(Forward(forward), (3, 4, 4), "mine")


def test_a_module_of_two_images_is_told_so() -> None:
    class Two(nn.Module):
        def forward(self, x: Tensor, other: Tensor) -> Tensor:
            return x + other

    with pytest.raises(ArchatlasError, match=r"mine takes more than one image \(TypeError: .*'other'\): give a module"):
        record(Two(), (3, 4, 4), "mine")


def test_a_layer_of_two_images_is_no_module_of_two() -> None:
    two = nn.Bilinear(3, 3, 4)
    with pytest.raises(ArchatlasError, match=r"mine does not run on an image of shape 3x4x4: TypeError: .*'input2'"):
        record(Forward(lambda module, x: two(x)), (3, 4, 4), "mine")


@pytest.mark.skipif(torch.backends.cuda.is_built(), reason="PyTorch has CUDA here")
@pytest.mark.parametrize("ask", [lambda x: x.cuda(), lambda x: x + torch.zeros(1, device="cuda")])
def test_a_device_that_is_not_there_is_named(ask: Callable[[Tensor], Tensor]) -> None:
    with pytest.raises(ArchatlasError, match=r"asks for a device that PyTorch does not have here.*device=x\.device"):
        record(Forward(lambda module, x: ask(module.conv(x))), (3, 4, 4))


def test_a_module_that_cannot_be_copied_is_refused() -> None:
    module = nn.Conv2d(3, 4, 3)
    module.generator = (one for one in (1, 2))
    with pytest.raises(ArchatlasError, match="mine cannot be copied"):
        record(module, (3, 8, 8), "mine")


def test_scripted_modules_are_recorded_as_the_plain_ones() -> None:
    plain = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 1))
    scripted, expected = record(torch.jit.script(plain), (3, 8, 8)), record(plain, (3, 8, 8))
    assert (scripted.params, scripted.macs) == (expected.params, expected.macs)
    assert operators(scripted) == operators(expected)


def test_instance_norms_are_no_batch_norms() -> None:
    """These use statistics of the image itself, and do not vanish in a convolution once a network is deployed."""
    graph = record(nn.Sequential(nn.Conv2d(3, 4, 3), nn.InstanceNorm2d(4, affine=True)), (3, 8, 8))
    assert operators(graph)[-1] == "group_norm"


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("device", ["cuda", "cpu", "meta", None])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, None])
def test_autocast_of_any_device_casts_nothing(device: str | None, dtype: torch.dtype | None) -> None:
    def forward(module: nn.Module, x: Tensor) -> Tensor:
        with torch.autocast(device or x.device.type, dtype):
            inner = module.conv(x).relu()
        with torch.autocast(device_type=device or x.device.type, enabled=False):
            return module.conv(inner[:, :3].float()).mean()

    graph = record(Forward(forward), (3, 4, 4))
    assert operators(graph) == ["input", "convolution", "relu", "slice", "convolution", "reduce"]
    assert graph.macs == 2 * 16 * 4 * 27
    with torch.autocast("cpu"):
        assert torch.zeros(2, 2).mm(torch.zeros(2, 2)).dtype == torch.bfloat16, "only while a module is recorded"


def test_autocast_of_other_threads_casts_until_the_last_has_recorded() -> None:
    original = torch.autocast.__init__

    def casts() -> bool:
        with torch.autocast("cpu"):
            return torch.zeros(2, 2).mm(torch.zeros(2, 2)).dtype == torch.bfloat16

    first, second = _no_autocast(), _no_autocast()
    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as other:
        one.submit(first.__enter__).result()
        other.submit(second.__enter__).result()
        assert [thread.submit(casts).result() for thread in (one, other)] == [False, False]
        assert casts()
        one.submit(first.__exit__, None, None, None).result()
        assert [thread.submit(casts).result() for thread in (one, other)] == [True, False]
        other.submit(second.__exit__, None, None, None).result()
        assert other.submit(casts).result()
    assert torch.autocast.__init__ is original


@pytest.mark.parametrize("device", ["meta", None])
def test_what_is_put_together_elsewhere_is_not_lost(device: str | None) -> None:
    def halves(module: nn.Module, x: Tensor) -> list[Tensor]:
        made = torch.zeros(1, 8, 8, 8, device=device)
        made[:, :4] = module.conv(x)
        made[:, 4:] = module.conv(x)
        return [made]

    graph = record(Forward(halves), (3, 8, 8))
    assert operators(graph) == ["input", "convolution", "convolution", "concat"]
    assert graph.edges.T.tolist() == [[0, 1], [0, 2], [1, 3], [2, 3]]


@pytest.mark.parametrize("device", ["meta", None])
def test_an_image_that_is_put_into_a_frame_is_not_lost(device: str | None) -> None:
    def framed(module: nn.Module, x: Tensor) -> Tensor:
        frame = torch.zeros(1, 3, 10, 10, device=device)
        frame[:, :, 1:-1, 1:-1] = x
        return nn.functional.conv2d(frame, module.conv.weight) + module.conv(x)

    graph = record(Forward(framed), (3, 8, 8))
    assert operators(graph) == ["input", "convolution", "convolution", "add"]


class Remembers(nn.Module):
    """Writes into a part of a small buffer of its own, whose numbers it has read before."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)
        self.register_buffer("kept", torch.ones(2, 4, 4, 4))

    def forward(self, x: Tensor) -> Tensor:
        whole, count = self.kept.view(8, 4, 4), int(self.kept[0, 0, 0, 0])
        self.kept[count:] = self.conv(x)
        return whole.relu()


def test_what_is_written_into_a_buffer_with_values_is_seen_through_all_views() -> None:
    module = Remembers()
    assert operators(record(module, (3, 4, 4))) == ["input", "convolution", "relu"]
    assert module.kept.sum() == 128
