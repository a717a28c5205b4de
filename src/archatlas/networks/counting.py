"""MACs and parameters of a module, counted by PyTorch itself on the meta device (no memory, no arithmetic)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True)
class ModuleCost:
    """MACs of one image's forward pass (multiply-accumulates of convolutions and matrix products) and parameters."""

    macs: int
    params: int


def count_module(make: Callable[[], nn.Module], input_shape: tuple[int, ...]) -> ModuleCost:
    """Build the module on the meta device and count what one input of ``input_shape`` (no batch axis) costs.

    MACs are half of the FLOPs of ``torch.utils.flop_counter``. Parameters include those of normalisation layers.
    """
    with torch.device("meta"):
        module = make().eval()
        image = torch.empty(1, *input_shape)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(image)
    return ModuleCost(
        macs=counter.get_total_flops() // 2,
        params=sum(parameter.numel() for parameter in module.parameters()),
    )
