"""Depthwise convolutions whose gradients are quick on a CPU.

On a CPU, PyTorch's gradients of depthwise convolutions are slow in three cases, by factors of 3 to 100
(`python -m benchmarks.depthwise`): for the weights of kernels above 3 x 3 and of maps smaller than the kernel, and in
bfloat16 for the input of strided ones. They are what most of a super-network's step would be spent on, and what would
make bfloat16 slower than float32.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

_MOST_PAIRS = {torch.float32: 32, torch.bfloat16: 128}
"""Pairs of output and input places for each image up to which the product over all pairs is quicker than PyTorch's way:
what is done with the pairs afterwards is the same for few images as for many."""


class DepthwiseConv2d(nn.Conv2d):
    """``nn.Conv2d(width, width, kernel, stride, kernel // 2, groups=width, bias=False)`` for odd kernels.

    Weights, results and the state dict are those of ``nn.Conv2d``, up to rounding; elsewhere than in training on a CPU
    it is one. Where gradients are to be differentiated in turn (``create_graph``, ``torch.func``), they are PyTorch's.
    """

    def __init__(self, width: int, kernel: int, stride: int = 1) -> None:
        super().__init__(width, width, kernel, stride, padding=kernel // 2, groups=width, bias=False)

    def forward(self, input: Tensor) -> Tensor:
        """Images ``[b, width, h, w]`` to ``[b, width, ceil(h / stride), ceil(w / stride)]``."""
        if input.device.type != "cpu" or not torch.is_grad_enabled() or torch.compiler.is_compiling():
            return super().forward(input)
        if torch.is_autocast_enabled("cpu"):
            input = input.to(torch.get_autocast_dtype("cpu"))
        result: Tensor = _Depthwise.apply(input, self.weight, self.stride[0])  # type: ignore[no-untyped-call]
        return result


class _Depthwise(torch.autograd.Function):
    """The convolution in the input's number format, by weights that may be in another."""

    generate_vmap_rule = True

    @staticmethod
    def forward(input: Tensor, weight: Tensor, stride: int) -> Tensor:
        return torch.conv2d(input, weight.to(input.dtype), None, stride, weight.shape[-1] // 2, 1, len(weight))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, int], output: Tensor) -> None:
        input, weight, ctx.stride = inputs
        ctx.save_for_backward(input, weight)
        ctx.save_for_forward(input, weight)

    @staticmethod
    def jvp(ctx: Any, of_input: Tensor, of_weight: Tensor, _: None) -> Tensor:
        """The derivative along a direction: the convolution is linear in either."""
        input, weight = ctx.saved_tensors
        with torch.autocast("cpu", enabled=False):
            along_input = _Depthwise.forward(of_input, weight, ctx.stride)
            return along_input + _Depthwise.forward(input, of_weight, ctx.stride)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        input, weight = ctx.saved_tensors
        of_input, of_weight, _ = ctx.needs_input_grad
        with torch.autocast("cpu", enabled=False):
            if torch.is_grad_enabled():  # This gradient is to be differentiated: PyTorch's own way can be.
                mask = (of_input, of_weight, False)
                return *_backward(gradient, input, weight, ctx.stride, input.dtype, mask), None
            gradient = gradient.contiguous(memory_format=torch.channels_last)
            return (
                _input_gradient(gradient, input, weight, ctx.stride) if of_input else None,
                weight_gradient(gradient, input, weight, ctx.stride).to(weight.dtype) if of_weight else None,
                None,
            )


def _input_gradient(gradient: Tensor, input: Tensor, weight: Tensor, stride: int) -> Tensor:
    dtype = input.dtype if stride == 1 else _at_least_float32(input.dtype)
    return _backward(gradient, input, weight, stride, dtype, (True, False, False))[0].to(input.dtype)


def weight_gradient(gradient: Tensor, input: Tensor, weight: Tensor, stride: int) -> Tensor:
    """Gradient ``[width, 1, k, k]`` of a depthwise convolution's weights, whichever way is the quickest.

    Small maps go by one matrix product per channel over the images, of every output place with every input place; a
    tap's gradient is the sum over the pairs that it joins:
    ``dw[c, t] = sum_{(o, i) joined by t} sum_b gradient[b, c, o] input[b, c, i]``.

    Args:
        gradient: of the output, ``[b, width, h', w']``.
        input: ``[b, width, h, w]``, of the same number format.
        weight: ``[width, 1, k, k]``.
        stride: of both directions.
    """
    width, kernel = len(weight), weight.shape[-1]
    shape, out = tuple(input.shape[2:]), tuple(gradient.shape[2:])
    if kernel <= 3 and min(out) >= kernel:
        return _backward(gradient, input, weight, stride, input.dtype, (False, True, False))[1]
    if shape[0] * shape[1] * out[0] * out[1] > _MOST_PAIRS.get(input.dtype, 0) * len(input):
        return _backward(gradient, input, weight, stride, _at_least_float32(input.dtype), (False, True, False))[1]
    pairs = torch.bmm(_by_channel(gradient).transpose(1, 2), _by_channel(input))
    taps = _taps(shape, out, kernel, stride)
    return (pairs.float().view(width, -1) @ taps).view(width, 1, kernel, kernel)


def _backward(
    gradient: Tensor, input: Tensor, weight: Tensor, stride: int, dtype: torch.dtype, mask: tuple[bool, bool, bool]
) -> tuple[Tensor, Tensor]:
    """PyTorch's own gradients of input and weight, computed in ``dtype``."""
    tensors = (gradient.to(dtype), input.to(dtype), weight.to(dtype))
    padding = weight.shape[-1] // 2
    of_input, of_weight, _ = torch.ops.aten.convolution_backward(
        *tensors, None, (stride, stride), (padding, padding), (1, 1), False, (0, 0), len(weight), mask
    )
    return of_input, of_weight


def _at_least_float32(dtype: torch.dtype) -> torch.dtype:
    return torch.promote_types(dtype, torch.float32)


def _by_channel(x: Tensor) -> Tensor:
    """``[b, c, h, w]`` to ``[c, b, h w]``; by the transposition of a matrix, which PyTorch does in blocks."""
    images, width, height, breadth = x.shape
    places = x.permute(0, 2, 3, 1).reshape(-1, width)
    return places.t().contiguous().view(width, images, height * breadth)


@lru_cache(maxsize=256)
def _taps(shape: tuple[int, int], out: tuple[int, int], kernel: int, stride: int) -> Tensor:
    """``[h' w' h w, k k]``: 1 where the tap joins the pair of output and input place."""
    rows, columns = (_joined(a, b, kernel, stride) for a, b in zip(shape, out, strict=True))
    joined = torch.einsum("phi,qwj->pqhwij", rows, columns)
    return joined.reshape(-1, kernel * kernel).contiguous()


def _joined(size: int, out: int, kernel: int, stride: int) -> Tensor:
    """``[out, size, kernel]`` in one direction: 1 where tap ``k`` joins output ``o`` with ``o stride + k - pad``."""
    o, i, k = torch.arange(out)[:, None, None], torch.arange(size)[:, None], torch.arange(kernel)
    return (o * stride + k - kernel // 2 == i).float()
