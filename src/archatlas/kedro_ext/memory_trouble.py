"""What to say where memory runs out."""

from __future__ import annotations

from archatlas.kedro_ext.causes import causes

# PyTorch's errors are RuntimeErrors, of a class of their own on GPUs only.
_TEXTS = ("can't allocate memory", "cannot allocate memory", "not enough memory", "out of memory")


def memory_trouble(error: BaseException) -> str | None:
    """One message (what was asked for, what to do) if want of memory is behind ``error``, else None."""
    for cause in causes(error):
        first = (str(cause).splitlines() or [""])[0]
        if isinstance(cause, MemoryError) or (
            isinstance(cause, RuntimeError) and any(text in str(cause).lower() for text in _TEXTS)
        ):
            return (
                f"memory ran out ({first or type(cause).__name__}). Ask for less at a time (fewer workers, smaller "
                "batches) or close what else takes memory, then run the same command again: earlier results and "
                "finished parts are intact."
            )
    return None
