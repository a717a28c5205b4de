from __future__ import annotations

import pytest
import torch
from torch import nn

from archatlas.networks.blocks import Chain, ConvNorm, Head, MBConv, SqueezeExcitation, initialise, is_identity


@pytest.mark.parametrize(
    ("stride", "size", "expected"), [(1, 7, 7), (2, 7, 4), (2, 8, 4)], ids=["kept", "odd halved", "even halved"]
)
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_convolutions_keep_the_ceiling_of_size_over_stride(stride: int, size: int, expected: int, kernel: int) -> None:
    assert ConvNorm(2, 3, kernel, stride)(torch.zeros(2, 2, size, size)).shape == (2, 3, expected, expected)


def test_mbconv_adds_its_input_where_the_shape_is_kept() -> None:
    x = torch.randn(2, 4, 5, 5, generator=torch.Generator().manual_seed(0))
    block = MBConv(4, 4, kernel=3, expansion=2).eval()
    with torch.no_grad():
        torch.testing.assert_close(block(x) - x, block.layers(x))
    assert not MBConv(4, 6, kernel=3, expansion=2).adds_input
    assert not MBConv(4, 4, kernel=3, expansion=2, stride=2).adds_input


def test_mbconv_of_expansion_one_has_no_expanding_convolution() -> None:
    kernels = [m.kernel_size for m in MBConv(4, 4, kernel=5, expansion=1).modules() if isinstance(m, nn.Conv2d)]
    assert kernels == [(5, 5), (1, 1)]
    kernels = [m.kernel_size for m in MBConv(4, 4, kernel=5, expansion=3).modules() if isinstance(m, nn.Conv2d)]
    assert kernels == [(1, 1), (5, 5), (1, 1)]


def test_squeeze_excitation_scales_whole_channels_by_a_gate_between_0_and_1() -> None:
    x = torch.rand(2, 8, 3, 3, generator=torch.Generator().manual_seed(0)) + 0.5
    with torch.no_grad():
        ratio = SqueezeExcitation(8)(x) / x
    assert ((ratio >= 0) & (ratio <= 1)).all()
    torch.testing.assert_close(ratio, ratio[:, :, :1, :1].expand_as(ratio))


def test_a_head_without_width_is_average_and_classifier() -> None:
    head = Head(3, 0, 2)
    x = torch.randn(4, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(head(x), x.mean(dim=(2, 3)) @ head.classifier.weight.T + head.classifier.bias)


def test_a_chain_runs_its_parts_in_order() -> None:
    class Times(nn.Module):
        def __init__(self, factor: float, plus: float) -> None:
            super().__init__()
            self.factor, self.plus = factor, plus

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * self.factor + self.plus

    chain = Chain(Times(2, 0), [Times(1, 1), nn.Identity(), Times(3, 0)], Times(1, -1))
    assert chain(torch.tensor(5.0)) == (5 * 2 + 1) * 3 - 1
    assert [is_identity(block) for block in chain.blocks] == [False, True, False]


@pytest.mark.parametrize("side", [16, 5, 1])
def test_each_stride_has_its_map_however_small_the_images(side: int) -> None:
    blocks = [ConvNorm(2, 3), ConvNorm(3, 3, 3, 2), nn.MaxPool2d(2, ceil_mode=True), ConvNorm(3, 4)]
    chain = Chain(ConvNorm(1, 2), blocks, nn.Identity()).eval()
    with torch.no_grad():
        maps = chain.features(torch.rand(2, 1, side, side))
    sizes = [side, -(-side // 2), -(-side // 4)]
    assert [tuple(one.shape[1:]) for one in maps] == [
        (channels, size, size) for channels, size in zip((3, 3, 4), sizes, strict=True)
    ]


def test_initialisation_depends_on_the_generator_alone() -> None:
    networks = [nn.Sequential(nn.Conv2d(64, 128, 3), nn.Flatten(), nn.Linear(512, 256)) for _ in range(3)]
    for network, seed in zip(networks, (0, 0, 1), strict=True):
        initialise(network, torch.Generator().manual_seed(seed))
    first, same, other = (network[0].weight for network in networks)
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    assert networks[0][2].weight.std().item() == pytest.approx(512**-0.5, rel=0.02)
    assert networks[0][2].bias.eq(0).all()


def test_filters_of_all_layers_begin_with_the_same_norm() -> None:
    layers = [nn.Conv2d(64, 384, 1), nn.Conv2d(384, 384, 5, groups=384), nn.Conv2d(384, 64, 1), nn.Conv2d(3, 512, 3)]
    network = nn.Sequential(*layers)
    initialise(network, torch.Generator().manual_seed(0))
    for layer in layers:
        squared_norms = layer.weight.flatten(1).square().sum(1)
        assert squared_norms.mean().item() == pytest.approx(1 / 3, rel=0.06), layer
