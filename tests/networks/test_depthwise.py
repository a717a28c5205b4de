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
def test_double_precision_is_kept(kernel: int, stride: int) -> None:
    ours, theirs = (module.double() for module in alike(6, kernel, stride))
    images = torch.randn(4, 6, 8, 8, dtype=torch.float64) * 1e60  # More than float32 holds.
    after = torch.randn_like(theirs(images))
    for found, expected in zip(results(ours, images, after), results(theirs, images, after), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=0.0)


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


SHAPES = [(kernel, stride, shape) for kernel in (1, 3, 5) for stride in (1, 2) for shape in [(1, 1), (3, 5), (8, 8)]]


@pytest.mark.parametrize(("kernel", "stride", "shape"), SHAPES, ids=str)
def test_second_derivatives_are_those_of_pytorch(kernel: int, stride: int, shape: tuple[int, int]) -> None:
    images = torch.randn(3, 4, *shape, generator=torch.Generator().manual_seed(1))

    def second(module: nn.Module) -> tuple[Tensor, ...]:
        x = images.clone().requires_grad_()
        loss = module(x).pow(3).sum()
        first = torch.autograd.grad(loss, [x, module.weight], create_graph=True)  # type: ignore[list-item]
        return torch.autograd.grad(sum(one.square().sum() for one in first), [x, module.weight])  # type: ignore[list-item]

    for found, expected in zip(*map(second, alike(4, kernel, stride)), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-3)


def test_gradients_of_mixed_blocks_with_respect_to_their_gates_can_be_differentiated() -> None:
    """Two blocks, mixed by gates: what the gates' gradients say of the images is that of plain convolutions."""
    torch.manual_seed(0)
    ours = nn.ModuleList(MBConv(4, 4, kernel=kernel, expansion=3) for kernel in (3, 5)).eval()
    theirs = nn.ModuleList(MBConv(4, 4, kernel=kernel, expansion=3) for kernel in (3, 5)).eval()
    for block in theirs:
        for parent in list(block.modules()):
            for name, module in list(parent.named_children()):
                if isinstance(module, DepthwiseConv2d):
                    width, kernel, stride = module.in_channels, module.kernel_size[0], module.stride[0]
                    plain = nn.Conv2d(width, width, kernel, stride, kernel // 2, groups=width, bias=False)
                    setattr(parent, name, plain)
    theirs.load_state_dict(ours.state_dict())
    assert sum(isinstance(module, DepthwiseConv2d) for module in theirs.modules()) == 0
    images = torch.randn(2, 4, 6, 6)

    def second(blocks: nn.ModuleList) -> Tensor:
        gates = torch.tensor([0.3, 0.7], requires_grad=True)
        mixed = sum(gate * block(images) for gate, block in zip(gates, blocks, strict=True))
        (first,) = torch.autograd.grad(mixed.square().mean(), gates, create_graph=True)  # type: ignore[union-attr]
        loss = first.square().sum()
        return torch.cat([one.flatten() for one in torch.autograd.grad(loss, [gates, *blocks.parameters()])])

    torch.testing.assert_close(second(ours), second(theirs), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kernel", [3, 5])
def test_transforms_of_functions_see_it_as_pytorch_s_own(kernel: int) -> None:
    images, direction = torch.randn(2, 3, 4, 5, 5).unbind()

    def derived(module: nn.Module) -> list[Tensor]:
        weight = module.weight.detach()

        def loss(x: Tensor, weight: Tensor) -> Tensor:
            return torch.func.functional_call(module, {"weight": weight}, x).pow(3).sum()

        def of_one(x: Tensor, weight: Tensor) -> Tensor:
            return loss(x[None], weight)

        per_image = torch.func.vmap(torch.func.grad(of_one, argnums=1), (0, None))
        _, along = torch.func.jvp(torch.func.grad(loss), (images, weight), (direction, weight))
        return [
            torch.func.grad(loss, argnums=1)(images, weight),
            per_image(images, weight),
            along,
            torch.func.jacrev(torch.func.grad(loss, argnums=1), argnums=1)(images, weight),
        ]

    for found, expected in zip(*map(derived, alike(4, kernel, 1)), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-3)


def test_blocks_have_it_where_channels_do_not_mix() -> None:
    kinds = [type(module) for module in MBConv(4, 4, kernel=5, expansion=2).modules() if isinstance(module, nn.Conv2d)]
    assert kinds == [nn.Conv2d, DepthwiseConv2d, nn.Conv2d]
    assert type(ConvNorm(4, 8, 3)[0]) is nn.Conv2d
