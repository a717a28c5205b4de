"""Exponential moving average of a network's weights."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class WeightAverage:
    """``average <- average + (1 - d) (weights - average)`` after every step, buffers included, in float32.

    ``d = min(decay, (1 + t) / (10 + t))`` at step ``t``, so that the first weights are soon forgotten (as TensorFlow's
    ExponentialMovingAverage has it). Integer buffers are copied.

    ``torch.optim.swa_utils.AveragedModel`` rounds averages of integer buffers down (of 10 batches it counts 1), keeps
    no float32 average of bfloat16 weights, and looks up every tensor at every step, which takes 2 to 3 times as long.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        state = network.state_dict(keep_vars=False)
        self.averages: dict[str, Tensor] = {
            name: tensor.detach().float().clone() if tensor.is_floating_point() else tensor.detach().clone()
            for name, tensor in state.items()
        }
        floating = [name for name, tensor in state.items() if tensor.is_floating_point()]
        # State dicts alias the live tensors, which optimisers change in place: looked up once, not every step.
        self._live = [state[name] for name in floating]
        self._mean = [self.averages[name] for name in floating]
        self._copied = [(state[name], self.averages[name]) for name in state if name not in set(floating)]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after the global step ``step`` (from 0)."""
        weight = 1 - min(self.decay, (1 + step) / (10 + step))
        live = [tensor.float() for tensor in self._live]
        torch._foreach_lerp_(self._mean, live, weight)
        for source, target in self._copied:
            target.copy_(source)

    def load(self, averages: Mapping[str, Tensor]) -> None:
        """Go on from saved averages."""
        for name, tensor in averages.items():
            self.averages[name].copy_(tensor)
