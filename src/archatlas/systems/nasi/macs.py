"""Multiply-accumulates of whatever runs, gradients and gradients of gradients too."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


class MacCounter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """In its block adds up ``macs`` of convolutions and products of matrices: half of what PyTorch calls operations.

    PyTorch's own counter tells them apart by module, which takes longer than a draw, and takes the gradient of a
    grouped convolution by its weights for one of a full convolution: a depthwise one would cost its width too much.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.macs = 0.0

    def __torch_dispatch__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        found, packet = func(*args, **(kwargs or {})), func.overloadpacket
        if packet is torch.ops.aten.convolution_backward:
            self.macs += _of_convolution_backward(*args)
        elif (operations := flop_registry.get(packet)) is not None:
            self.macs += operations(*args, **(kwargs or {}), out_val=found) / 2
        return found


def _of_convolution_backward(
    gradient: Tensor, images: Tensor, weight: Tensor, bias: Any, stride: Any, padding: Any, dilation: Any,
    transposed: bool, output_padding: Any, groups: int, asked: Sequence[bool],
) -> int:  # fmt: skip
    """Each product of the forward pass has one in the gradient by the images and one in that by the weights."""
    places = prod((images if transposed else gradient).shape[2:])
    return len(images) * places * weight.numel() * sum(asked[:2])
