from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from archatlas.networks.blocks import ConvNorm, MBConv
from archatlas.networks.depthwise import DepthwiseConv2d, weight_gradient

CASES = [(1, 1), (2, 2), (3, 5), (8, 8), (17, 9)]


def alike(width: int, kernel: int, stride: int) -> tuple[DepthwiseConv2d, nn.Conv2d]:
    """A depthwise convolution and PyTorch's own, with the same weights."""
    torch.manual_seed(0)
    ours = DepthwiseConv2d(width, kernel, stride)
    theirs = nn.Conv2d(width, width, kernel, stride, kernel // 2, groups=width, bias=False)
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def results(module: nn.Module, images: Tensor, after: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Output, and the gradients of images and weights where ``after`` is the gradient of the output."""
    x = images.clone().requires_grad_()
    y = module(x)
    of_images, of_weight = torch.autograd.grad(y, [x, module.weight], after.to(y.dtype))  # type: ignore[list-item]
    return y, of_images, of_weight


@pytest.mark.parametrize("shape", CASES, ids=str)
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [1, 3, 5, 7])
def test_outputs_and_gradients_are_those_of_pytorch(kernel: int, stride: int, shape: tuple[int, int]) -> None:
    ours, theirs = alike(6, kernel, stride)
    images = torch.randn(4, 6, *shape)
    after = torch.randn_like(theirs(images))
    for found, expected in zip(results(ours, images, after), results(theirs, images, after), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [3, 5])
def test_under_autocast_they_are_those_of_float32_but_for_the_rounding(kernel: int, stride: int) -> None:
    ours, theirs = alike(6, kernel, stride)
    images = torch.randn(8, 6, 4, 4)
    after = torch.randn_like(theirs(images))
    expected = results(theirs, images, after)
    with torch.autocast("cpu", torch.bfloat16):
        found = results(ours, images, after)
    assert [tensor.dtype for tensor in found] == [torch.bfloat16, torch.float32, torch.float32]
    for one, other in zip(found, expected, strict=True):
        assert (one.float() - other).norm() <= 0.01 * other.norm()


def test_weight_gradient_by_hand() -> None:
    # One image of 1 x 2 pixels (2, 3), of whose outputs the gradient is (5, 7): the middle tap sees 2 5 + 3 7, the one
    # to the left of it is the second output's first pixel, 2 7, the one to the right the first output's second, 3 5.
    expected = torch.zeros(1, 1, 5, 5)
    expected[0, 0, 2, 1:4] = torch.tensor([14.0, 31.0, 15.0])
    input, gradient = torch.tensor([[[[2.0, 3.0]]]]), torch.tensor([[[[5.0, 7.0]]]])
    torch.testing.assert_close(weight_gradient(gradient, input, torch.zeros(1, 1, 5, 5), 1), expected)


def test_no_gradient_is_made_that_is_not_needed() -> None:
    ours, _ = alike(3, 5, 1)
    images = torch.randn(2, 3, 4, 4)
    ours(images).sum().backward()
    assert ours.weight.grad is not None
    ours.requires_grad_(False)
    (of_images,) = torch.autograd.grad(ours(images.requires_grad_()).sum(), images)
    assert of_images.shape == images.shape


def test_a_gradient_of_a_gradient_is_refused() -> None:
    ours, _ = alike(3, 3, 1)
    images = torch.randn(2, 3, 4, 4, requires_grad=True)
    (first,) = torch.autograd.grad(ours(images).square().sum(), images, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first.sum().backward()


def test_blocks_have_it_where_channels_do_not_mix() -> None:
    kinds = [type(module) for module in MBConv(4, 4, kernel=5, expansion=2).modules() if isinstance(module, nn.Conv2d)]
    assert kinds == [nn.Conv2d, DepthwiseConv2d, nn.Conv2d]
    assert type(ConvNorm(4, 8, 3)[0]) is nn.Conv2d
