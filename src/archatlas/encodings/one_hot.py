"""Choices as zeros and ones: the features of an additive model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from archatlas.spaces.protocol import Choices


def one_hot(choices: Choices, num_choices: Sequence[int]) -> NDArray[np.float64]:
    """One column per (position, choice), 1 where the row has that choice.

    Args:
        choices: int8 ``[n, positions]``
        num_choices: how many choices each position has

    Returns:
        float64 ``[n, sum(num_choices)]``, positions in order and the choices of each in order.
    """
    first = np.concatenate([[0], np.cumsum(num_choices)])
    encoded = np.zeros((len(choices), int(first[-1])))
    encoded[np.arange(len(choices))[:, None], choices + first[:-1]] = 1.0
    return encoded
