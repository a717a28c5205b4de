"""Memory of the process's own allocator."""

from __future__ import annotations

import ctypes
import sys
from functools import lru_cache

# Options of mallopt(3).
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
_NEVER = 2**31 - 1


@lru_cache(maxsize=1)
def keep_freed_memory() -> None:
    """Let the C library keep what is freed for what is asked for next, from now on and in the whole process.

    glibc gives large blocks back to the system, and each step's activations are then made of pages that the system must
    clear first: a tenth to a third of a step's time on a CPU. Where the C library is another one nothing happens.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_MAX, 0)
        mallopt(_TRIM_THRESHOLD, _NEVER)
