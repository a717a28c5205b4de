"""Each score by hand on tiny networks, and what all of them promise."""

from __future__ import annotations

import copy
import math
from typing import get_args

import numpy as np
import pytest
import torch
from scipy.stats import norm
from torch import Tensor, nn

import archatlas
from archatlas.errors import ArchatlasError
from archatlas.networks.blocks import Activation, Chain, ConvNorm, Head, MBConv
from archatlas.networks.cells import EdgeCell, NormHead, PreActivationConv
from archatlas.networks.resized import Resized
from archatlas.scores.agreement import agreement
from archatlas.scores.initialisation import draw_weights
from archatlas.scores.parameters import ALL
from archatlas.scores.probe import Probe
from archatlas.scores.registry import SCORES
from archatlas.spaces.presets import preset


def score(name: str, network: nn.Module, images: Tensor, labels: Tensor) -> float:
    found = SCORES.load(name)(Probe(network, images, labels))
    assert isinstance(found, float)
    return found


def linear(weights: list[list[float]], then: nn.Module | None = None) -> nn.Sequential:
    """Flattened images by a matrix, and what comes then."""
    layer = nn.Linear(len(weights[0]), len(weights), bias=False)
    layer.weight = nn.Parameter(torch.tensor(weights))
    return nn.Sequential(nn.Flatten(), layer, *([then] if then else []))


def pixels(*rows: list[float]) -> Tensor:
    return torch.tensor(rows).reshape(len(rows), 1, 1, -1)


# -- By hand -----------------------------------------------------------------------------------------------------------


def test_agreement_counts_units_that_are_on_or_off_for_both() -> None:
    x = torch.tensor([[1.0, -1.0, 2.0], [3.0, 0.0, -1.0], [-1.0, 5.0, -2.0]])
    assert agreement(x).tolist() == [[3, 2, 0], [2, 3, 1], [0, 1, 3]]
    maps = torch.randn(4, 3, 5, 5)
    torch.testing.assert_close(agreement(maps.contiguous(memory_format=torch.channels_last)), agreement(maps))


@pytest.mark.parametrize("rectifier", [nn.ReLU(), nn.ReLU(inplace=True), nn.ReLU6(), nn.Hardswish()], ids=str)
def test_nwot_by_hand(rectifier: nn.Module) -> None:
    # Both units are on for the first image, the first alone for the second: K = [[2, 1], [1, 2]], of determinant 3.
    network = linear([[1.0, 0.0], [0.0, 1.0]], rectifier)
    images, labels = pixels([1.0, 1.0], [1.0, -1.0]), torch.tensor([0, 1])
    assert score("nwot", network, images, labels) == pytest.approx(math.log(3))
    assert score("nwot", network, pixels([1.0, 1.0], [2.0, 3.0]), labels) == -math.inf  # One code for both.
    assert score("nwot", linear([[1.0, 0.0]]), images, labels) == -math.inf  # Nothing is rectified.


def test_nwot_adds_up_layers_and_functions() -> None:
    # After the first rectifier the images are (1, 1) and (1, 0); the second, a function, adds the same K: det 12.
    class Twice(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.relu(x * 2.0).relu()

    network = linear([[1.0, 0.0], [0.0, 1.0]], Twice())
    images, labels = pixels([1.0, 1.0], [1.0, -1.0]), torch.tensor([0, 1])
    assert score("nwot", network, images, labels) == pytest.approx(math.log(12))


def test_jacov_by_hand() -> None:
    # An image's derivatives are the sums of the weights of the units that are on: (1, 2, 4) and (1, 2, 0).
    network = nn.Sequential(linear([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 4.0]], nn.ReLU()))
    images = pixels([1.0, 1.0, 1.0], [1.0, 1.0, -1.0])
    r = np.corrcoef([[1.0, 2.0, 4.0], [1.0, 2.0, 0.0]])[0, 1]
    expected = -sum(math.log(v + 1e-5) + 1 / (v + 1e-5) for v in (1 + r, 1 - r))
    assert score("jacov", network, images, torch.tensor([0, 1])) == pytest.approx(expected)
    assert math.isnan(
        score("jacov", linear([[0.0, 0.0], [0.0, 0.0]]), pixels([1.0, 2.0], [3.0, 4.0]), torch.zeros(2).long())
    )


def test_gradients_by_hand() -> None:
    # Logits are 0, so the gradient is (softmax - one-hot) x: (-.5, .5) for the first image and 3 (.5, -.5) for the
    # second. Their mean is (.5, -.5), whose norm is sqrt(.5).
    network = linear([[0.0], [0.0]])
    images, labels = pixels([1.0], [3.0]), torch.tensor([0, 1])
    assert score("grad_norm", network, images, labels) == pytest.approx(math.sqrt(0.5))
    assert score("ntk_trace", network, images, labels) == pytest.approx(0.5)
    assert score("log_ntk_trace", network, images, labels) == pytest.approx(math.log(0.5))
    assert score("gradient_tensors", network, images, labels) == 1
    still = pixels([1.0], [1.0])
    assert score("log_ntk_trace", network, still, labels) == -math.inf  # What one image asks for the other undoes.


def test_grad_norm_adds_norms_of_layers_and_the_trace_squares_of_all_parameters() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 2))
    images, labels = torch.randn(5, 1, 4, 4), torch.tensor([0, 1, 1, 0, 1])
    nn.functional.cross_entropy(copy.deepcopy(network)(images), labels)
    reference = copy.deepcopy(network)
    nn.functional.cross_entropy(reference(images), labels).backward()
    gradients = {name: parameter.grad for name, parameter in reference.named_parameters()}
    assert score("ntk_trace", network, images, labels) == pytest.approx(
        sum(float(one.square().sum()) for one in gradients.values() if one is not None), rel=1e-5
    )
    layers = [gradients["0.weight"], gradients["4.weight"]]
    assert score("grad_norm", network, images, labels) == pytest.approx(
        sum(float(one.norm()) for one in layers if one is not None), rel=1e-5
    )
    assert score("gradient_tensors", network, images, labels) == 6


def test_synflow_by_hand() -> None:
    # |weights| are (1, 2) and then 3: R = 3 + 6 = 9, and each of two layers carries all of it: log 18.
    network = nn.Sequential(linear([[-1.0, 2.0]], nn.ReLU()), nn.Linear(1, 1, bias=False))
    nn.init.constant_(network[1].weight, -3.0)  # type: ignore[arg-type]
    images, labels = pixels([5.0, -7.0], [0.0, 0.0]), torch.tensor([0, 0])
    assert score("synflow", network, images, labels) == pytest.approx(math.log(18))
    nn.init.zeros_(network[1].weight)  # type: ignore[arg-type]
    assert score("synflow", network, images, labels) == -math.inf


def test_synflow_of_a_deep_network_is_finite() -> None:
    # 40 layers of 100 inputs each multiply the flow by 100: more than float32 holds, by far.
    layers = [nn.Linear(100, 100, bias=False) for _ in range(40)]
    for layer in layers:
        nn.init.constant_(layer.weight, -1.0)
    network = nn.Sequential(nn.Flatten(), *layers)
    found = score("synflow", network, torch.zeros(2, 1, 10, 10), torch.tensor([0, 1]))
    assert found == pytest.approx(41 * math.log(100) + math.log(40))


@pytest.mark.parametrize("activation", get_args(Activation))
def test_synflow_rises_with_depth_as_much_whatever_bounds_the_activations(activation: Activation) -> None:
    def of(depth: int, activation: Activation) -> float:
        stem = ConvNorm(1, 16, 3, activation=activation)
        blocks: list[nn.Module] = [MBConv(16, 16, kernel=3, expansion=3, activation=activation) for _ in range(depth)]
        network = Chain(stem, blocks, Head(16, 32, 3, activation))
        draw_weights(network, "pytorch", 0)
        return score("synflow", network, torch.zeros(2, 1, 8, 8), torch.tensor([0, 1]))

    scores = [of(depth, activation) for depth in (1, 2, 4, 8)]
    assert scores == sorted(set(scores))
    assert scores == [of(depth, "relu") for depth in (1, 2, 4, 8)]


@pytest.mark.parametrize("bent", [nn.SiLU(), nn.GELU(), nn.Tanh(), nn.ELU(), nn.Softplus(), nn.Mish(), nn.Hardtanh()])
def test_synflow_sees_bent_activations_as_identities(bent: nn.Module) -> None:
    network = nn.Sequential(linear([[-1.0, 2.0]], bent), nn.Linear(1, 1, bias=False))
    nn.init.constant_(network[1].weight, -3.0)  # type: ignore[arg-type]
    assert score("synflow", network, torch.zeros(2, 1, 1, 2), torch.tensor([0, 0])) == pytest.approx(math.log(18))


def test_rectifiers_are_counted_as_often_as_they_are_passed() -> None:
    rectifier = nn.ReLU()
    network = nn.Sequential(nn.Conv2d(1, 2, 3), rectifier, nn.Conv2d(2, 2, 1), rectifier, nn.Flatten(), nn.Tanh())
    assert score("rectifiers", network, torch.zeros(2, 1, 8, 8), torch.tensor([0, 1])) == 2
    block = MBConv(4, 4, kernel=3, expansion=2)
    assert score("rectifiers", block, torch.zeros(2, 4, 8, 8), torch.tensor([0, 1])) == 2


# -- What all promise --------------------------------------------------------------------------------------------------


def mbconv_chain(depth: int = 2) -> nn.Module:
    """A chain with depthwise convolutions of kernel 5, one of them strided."""
    blocks = [MBConv(4, 4, kernel=5, expansion=3) for _ in range(depth - 1)]
    stem = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4))
    return Chain(stem, [*blocks, MBConv(4, 6, kernel=5, expansion=3, stride=2, squeeze_excitation=True)], Head(6, 8, 3))


def cell_network() -> nn.Module:
    edges = [(0, 1), (0, 2), (1, 2)]
    operations = {0: PreActivationConv(4, 4, 3), 1: PreActivationConv(4, 4, 1), 2: nn.AvgPool2d(3, 1, 1)}
    return Chain(nn.Conv2d(1, 4, 3, padding=1), [EdgeCell(edges, operations)], NormHead(4, 3))


NETWORKS = {"chain": mbconv_chain, "cell": cell_network}


@pytest.fixture(params=list(NETWORKS))
def network(request: pytest.FixtureRequest) -> nn.Module:
    made = NETWORKS[request.param]()
    draw_weights(made, "kaiming", 0)
    return made


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(8, 1, 8, 8, generator=generator), torch.randint(3, (8,), generator=generator)


def test_all_scores_of_the_registry_are_default_but_what_says_nothing_of_small_images() -> None:
    assert sorted([*ALL, "transfer"]) == sorted(SCORES)


@pytest.mark.parametrize("name", ALL)
def test_the_order_of_the_batch_does_not_matter(name: str, network: nn.Module, batch: tuple[Tensor, Tensor]) -> None:
    images, labels = batch
    order = torch.tensor([3, 1, 7, 0, 5, 2, 6, 4])
    found = score(name, network, images, labels)
    assert math.isfinite(found)
    assert score(name, network, images[order], labels[order]) == pytest.approx(found, rel=1e-4)


@pytest.mark.parametrize("name", ALL)
def test_nothing_is_left_behind(name: str, network: nn.Module, batch: tuple[Tensor, Tensor]) -> None:
    network.eval()
    network.get_submodule("head").train()
    before = copy.deepcopy(network.state_dict())
    modes = [module.training for module in network.modules()]
    tensors = [id(one) for one in (*network.parameters(), *network.buffers())]
    torch.manual_seed(5)
    random = torch.get_rng_state()
    with torch.no_grad():
        first = score(name, network, *batch)
    assert torch.equal(torch.get_rng_state(), random)
    assert [module.training for module in network.modules()] == modes
    assert [id(one) for one in (*network.parameters(), *network.buffers())] == tensors
    assert all(one.grad is None and one.requires_grad for one in network.parameters())
    assert all(torch.equal(one, before[key]) for key, one in network.state_dict().items())
    assert not any(module._forward_hooks or module._backward_hooks for module in network.modules())
    assert not batch[0].requires_grad
    assert score(name, network, *batch) == first


@pytest.mark.parametrize("name", [name for name in ALL if name not in ("jacov", "ntk_trace", "log_ntk_trace")])
def test_deeper_networks_have_the_higher_score(name: str, batch: tuple[Tensor, Tensor]) -> None:
    """The sign, where depth decides; jacov and T have theirs by hand."""
    scores = []
    for depth in (1, 4):
        made = mbconv_chain(depth)
        draw_weights(made, "kaiming", 0)
        scores.append(score(name, made, *batch))
    assert scores[0] < scores[1]


def test_jacov_is_higher_where_images_are_told_apart() -> None:
    labels = torch.tensor([0, 1])
    network = linear([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 4.0]], nn.ReLU())
    apart, alike = pixels([1.0, 1.0, -1.0], [-1.0, -1.0, 1.0]), pixels([1.0, 1.0, 1.0], [2.0, 1.0, 3.0])
    assert score("jacov", network, apart, labels) > score("jacov", network, alike, labels)


def test_what_others_have_trained_says_as_rank_does_or_nothing() -> None:
    space = preset("nas_bench_macro", (3, 32, 32), 10)
    images, labels = torch.zeros(2, 3, 32, 32), torch.tensor([0, 1])
    networks = [space.build(np.full(8, choice, dtype=np.int8)) for choice in (0, 2)]
    scores = [score("transfer", network, images, labels) for network in networks]
    ranking = archatlas.rank(networks, (3, 32, 32))
    assert [100 * norm.cdf(one) for one in reversed(scores)] == pytest.approx(
        [one.percentile for one in ranking.networks]
    )
    assert all(not parameter.is_meta for network in networks for parameter in network.parameters())
    larger = torch.zeros(2, 3, 64, 64)
    assert [score("transfer", Resized(network, 32), larger, labels) for network in networks] == scores
    assert math.isnan(score("transfer", mbconv_chain(1), torch.zeros(2, 1, 8, 8), labels))


def test_what_dropout_draws_is_the_same_each_time() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.Dropout(0.5), nn.Linear(8, 3))
    images, labels = torch.randn(4, 1, 8, 8), torch.tensor([0, 1, 2, 0])
    assert score("ntk_trace", network, images, labels) == score("ntk_trace", network, images, labels)


def test_a_network_without_weights_and_a_batch_of_one_are_refused() -> None:
    images, labels = torch.zeros(2, 1, 2, 2), torch.tensor([0, 1])
    with pytest.raises(ArchatlasError, match="Flatten has no weights to train"):
        score("grad_norm", nn.Flatten(), images, labels)
    with pytest.raises(ArchatlasError, match=r"Flatten has no convolution and no linear layer.* leave synflow out"):
        score("synflow", nn.Flatten(), images, labels)
    with pytest.raises(ArchatlasError, match="at least 2 images with a label each, but got 1 images and 1 labels"):
        Probe(nn.Flatten(), images[:1], labels[:1])
    with pytest.raises(ArchatlasError, match="did you mean `nwot`"):
        SCORES.load("nvot")
