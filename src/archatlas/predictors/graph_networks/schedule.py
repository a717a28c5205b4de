"""How fast a network learns, from the first step to the last."""

from __future__ import annotations

import numpy as np


def one_cycle(share: float) -> float:
    """Linear warm-up over a tenth of the steps, then a cosine to zero."""
    return float(min(share / 0.1, 1.0) * (1 + np.cos(np.pi * max(share - 0.1, 0) / 0.9)) / 2 + 1e-3)
