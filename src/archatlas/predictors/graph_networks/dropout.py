"""Dropout whose draws depend on a generator of its own."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class SeededDropout(nn.Module):
    """In training each value is zero with chance ``share`` and the others are divided by ``1 - share``."""

    def __init__(self, share: float, generator: torch.Generator) -> None:
        super().__init__()
        self.share = share
        self.generator = generator

    def forward(self, hidden: Tensor) -> Tensor:
        """Of any shape."""
        if not self.training or self.share == 0:
            return hidden
        return hidden * (torch.rand(hidden.shape, generator=self.generator) >= self.share) / (1 - self.share)
