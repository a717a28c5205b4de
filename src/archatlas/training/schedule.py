"""The learning rate as a function of the global step."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class CosineSchedule:
    """Linear warm-up, then a half cosine to zero (Loshchilov & Hutter, ICLR 2017).

    ``lr(t) = peak * (t + 1) / w`` for ``t < w``, then ``peak * (1 + cos(pi * (t - w) / (total - w))) / 2``.
    """

    peak: float
    total_steps: int
    warmup_steps: int

    def __call__(self, step: int) -> float:
        """Learning rate of a step (from 0); the one after the last is 0."""
        if step < self.warmup_steps:
            return self.peak * (step + 1) / self.warmup_steps
        after = (step - self.warmup_steps) / max(1, self.total_steps - self.warmup_steps)
        return self.peak * (1 + math.cos(math.pi * min(after, 1.0))) / 2
