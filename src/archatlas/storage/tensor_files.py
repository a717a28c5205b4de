"""Files of tensors (safetensors), however large."""

from __future__ import annotations

import json
import math
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

_TYPES = {"U8": "u1", "I8": "i1", "I16": "<i2", "I32": "<i4", "I64": "<i8", "F16": "<f2", "F32": "<f4", "F64": "<f8"}
"""Of safetensors, those that NumPy has too."""
MOST_ASKED_FOR = 2**30
"""Bytes of a file that the library is asked to read."""
_LENGTH, _LONGEST = 8, 100_000_000
"""Bytes of the number that says how long the header is; and of the longest header, as the library has it."""


def read_tensors(file: Path) -> dict[str, Tensor]:
    """Tensors by name, read from the file as they are used. Those of a large file must not be written to.

    Of a file that is larger than ``MOST_ASKED_FOR`` the library cannot be asked: for what might be written it has the
    system promise memory, which it refuses where there is none. Raises what the library does, or ValueError, KeyError
    or OSError, if the file is damaged.
    """
    import torch
    from safetensors.torch import load_file

    if file.stat().st_size <= MOST_ASKED_FOR:
        return load_file(file)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return {name: torch.from_numpy(array) for name, array in _in_place(file).items()}


def _in_place(file: Path) -> dict[str, NDArray[Any]]:
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(_LENGTH), "little")
        if length > _LONGEST:
            raise ValueError(f"a header of {length:,} bytes")
        header = json.loads(opened.read(length))
    header.pop("__metadata__", None)
    arrays: dict[str, NDArray[Any]] = {}
    for name, entry in header.items():
        dtype, shape = np.dtype(_TYPES[entry["dtype"]]), tuple(entry["shape"])
        start, end = entry["data_offsets"]
        if math.prod(shape) * dtype.itemsize != end - start:
            raise ValueError(f"{end - start:,} bytes for {name} of shape {list(shape)}")
        empty = not math.prod(shape)
        start += _LENGTH + length
        arrays[name] = np.zeros(shape, dtype) if empty else np.memmap(file, dtype, "r", start, shape)
    return arrays
