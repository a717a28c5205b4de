"""Independent seeds from a few numbers."""

from __future__ import annotations

import numpy as np


def mixed_seed(*numbers: int) -> int:
    """A seed (0 to 2^63 - 1) made by NumPy's SeedSequence from the non-negative ``numbers``, in their order."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))
