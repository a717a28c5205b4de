"""The size that images are brought to where none is asked for: by what they are, and by the time that there is."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from archatlas.images.decoding import Encoded, open_image
from archatlas.images.predict import own_limit

_log = logging.getLogger(__name__)

SIZES = (32, 48, 64, 96, 128, 160, 224)
"""Sides to choose from, pixels."""
_MANY, _MOST_OF_FEW = 1000, 96
"""Of fewer images no larger ones are made by themselves: what they would be good for was never measured."""
WITHOUT_BUDGET = 64
"""The largest of them where no time is given."""
_LOOKED_AT = 200
_EPOCHS, _SHARE = 100, 0.25
_PER_SECOND = 400
"""Images of 32 x 32 that a core trains a network of some six million MACs on: benchmarks.own_images."""


def suitable_size(
    fetch: Callable[[Sequence[int]], Sequence[Encoded]], rows: NDArray[np.int64], seconds: float | None
) -> tuple[int, tuple[int, ...]]:
    """The largest of ``SIZES`` that suits the images and that time allows, or the least; and all that suit.

    Images are not enlarged, and few ones not made large. Time allows a size at which 100 epochs of one network take at
    most a quarter of it on this machine's cores. How fast a GPU is nobody knows before networks are timed on it: where
    there is one, and time has decided, a warning says so.

    Args:
        fetch: gives the encoded images at some rows; the shorter side of the middle one of 200 counts.
        rows: of all images.
        seconds: of the whole run; None: up to ``WITHOUT_BUDGET`` pixels.
    """
    looked_at = rows[np.linspace(0, len(rows) - 1, min(_LOOKED_AT, len(rows))).astype(int)]
    with own_limit():
        sides = [side for item in fetch(looked_at.tolist()) if (side := _shorter_side(item)) is not None]
    most = min(float(np.median(sides)) if sides else 0.0, SIZES[-1] if len(rows) >= _MANY else _MOST_OF_FEW)
    fitting = tuple(size for size in SIZES if size <= most) or SIZES[:1]
    if seconds is None:
        return max((size for size in fitting if size <= WITHOUT_BUDGET), default=SIZES[0]), fitting
    chosen = max((size for size in fitting if time_allows(size, len(rows), seconds)), default=SIZES[0])
    if chosen < fitting[-1] and _has_gpu():
        _log.warning(
            "images are brought to %d pixels, as the cores of this machine can train in the time: its GPU is not "
            "counted. Set `images.image_size`, to %d at the most, if it is to train on larger ones",
            chosen, fitting[-1],
        )  # fmt: skip
    return chosen, fitting


def time_allows(size: int, images: int, seconds: float) -> bool:
    """Whether a run of so many seconds can train on so many images of ``size`` pixels."""
    from joblib import cpu_count

    needed = images * _EPOCHS * (size / SIZES[0]) ** 2 / _PER_SECOND
    return bool(needed <= _SHARE * seconds * cpu_count())


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def _shorter_side(item: Encoded) -> int | None:
    """None of an image that cannot be read: what is wrong is said where it is decoded."""
    try:
        with open_image(item) as image:
            return min(image.size)
    except Exception:  # Pillow's decoders raise whatever a damaged file leads them to
        return None
