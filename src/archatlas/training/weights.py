"""Weights on their way between processes: tensors here, NumPy arrays there, which many processes can share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def arrays_of(weights: Mapping[str, Tensor]) -> dict[str, NDArray[Any]]:
    """Tensors of the CPU as arrays that lie in one piece."""
    return {name: tensor.contiguous().numpy() for name, tensor in weights.items()}


def tensors_of(arrays: Mapping[str, NDArray[Any]]) -> dict[str, Tensor]:
    """Arrays as tensors of their own: what processes share may be read only."""
    return {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}
