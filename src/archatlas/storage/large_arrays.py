"""Arrays that would take too much of the memory: they lie in temporary files, which the system reads and writes.

Such a file has no name and is gone with its array, also where the process is killed. It lies in
``folder_for_large_files``: the environment variable ``TMPDIR`` says where that is.
"""

from __future__ import annotations

import errno
import math
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from archatlas.errors import ArchatlasError

MOST_IN_MEMORY = 2**30
"""Bytes; larger arrays lie in a file."""
FULL = (errno.ENOSPC, errno.EDQUOT)
"""Errors of the system where a disk is full, or what a user may have of it."""
_AT_A_TIME = 2**26
"""Bytes that are copied at a time."""


def folder_for_large_files() -> str:
    """``TMPDIR``, or a folder that survives a restart, since others are kept in memory by some systems."""
    lasting = Path("/var/tmp")
    return tempfile.gettempdir() if "TMPDIR" in os.environ or not os.access(lasting, os.W_OK) else str(lasting)


def folder_for(size: int) -> str | None:
    """Where temporary files of so many bytes belong; None: where such files lie anyway."""
    return folder_for_large_files() if size > MOST_IN_MEMORY else None


def room_for(shape: Sequence[int], dtype: DTypeLike) -> NDArray[Any]:
    """An array of zeros, in memory or in a file.

    Raises ArchatlasError if there is no room for the file: not when it is written to, which would end the process.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size <= MOST_IN_MEMORY:
        return np.zeros(tuple(shape), dtype)
    folder = folder_for_large_files()
    try:
        with tempfile.TemporaryFile(prefix="archatlas-", dir=folder) as file:
            _reserve(file.fileno(), size)
            return np.memmap(file, dtype, mode="r+", shape=tuple(shape))
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise no_room(size, folder, error.errno) from error


def no_room(size: int, folder: str | Path, number: int) -> ArchatlasError:
    """What to tell where temporary files of so many bytes led to this one of ``FULL``."""
    return ArchatlasError(
        f"there is no room for {size / 2**30:.1f} GiB of temporary files in `{folder}` ({os.strerror(number)}): free "
        "some, or set TMPDIR to a folder that has more"
    )


def _reserve(file: int, size: int) -> None:
    """Give an open file its size, and room on the disk where the file system can promise it."""
    try:
        os.posix_fallocate(file, 0, size)
    except AttributeError:  # Not every system has it.
        os.truncate(file, size)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
            raise
        os.truncate(file, size)


def taken(array: NDArray[Any], rows: NDArray[np.int64]) -> NDArray[Any]:
    """``array[rows]``, with room for it as above."""
    chosen = room_for((len(rows), *array.shape[1:]), array.dtype)
    step = max(_AT_A_TIME // max(array[:1].nbytes, 1), 1)
    for start in range(0, len(rows), step):
        chosen[start : start + step] = array[rows[start : start + step]]
    return chosen


def joined(arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Arrays of one type one after the other, with room for them as above."""
    whole = room_for((sum(map(len, arrays)), *arrays[0].shape[1:]), arrays[0].dtype)
    start = 0
    for array in arrays:
        whole[start : start + len(array)] = array
        start += len(array)
    return whole


def array_bytes(given: object) -> int:
    """Bytes of all arrays among tuples, lists and mappings of anything."""
    if isinstance(given, np.ndarray):
        return given.nbytes
    if isinstance(given, Mapping):
        given = list(given.values())
    return sum(map(array_bytes, given)) if isinstance(given, tuple | list) else 0
