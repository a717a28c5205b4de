"""Encoded images to square uint8 pixels."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from archatlas.images.predict import to_square, upright

Encoded = bytes | Path | Image.Image
Pixels = NDArray[np.uint8]

_CHUNK = 256


def to_pixels(
    image: Image.Image, image_size: int, *, channels: Literal[1, 3] | None, aspect: Literal["crop", "pad", "stretch"]
) -> Pixels:
    """The image as uint8 [c, image_size, image_size]; ``channels`` None keeps grey grey (1) and colour RGB (3).

    The camera's rotation (EXIF) is applied; of several frames the first is taken. Transparent images are laid on
    white. 16-bit values are divided by 256; floating-point values are taken as 0..1, or as 0..255 if any exceeds 1.
    Images that are not square are cut to the central square (``crop``), padded with black (``pad``), or distorted
    (``stretch``); resizing is bilinear, with anti-aliasing where it shrinks. Grey is the luma of ITU-R BT.601.
    """
    plain = upright(image, image_size)
    return to_square(plain, image_size, channels or (1 if _is_grey(plain) else 3), aspect)


def decode(
    fetch: Callable[[Sequence[int]], Sequence[Encoded]],
    rows: NDArray[np.int64],
    image_size: int,
    *,
    channels: Literal[1, 3] | None,
    aspect: Literal["crop", "pad", "stretch"],
) -> tuple[Pixels, dict[int, str]]:
    """Decode the images at ``rows`` with several threads, straight into one array.

    ``fetch`` gives the encoded images at some rows. Returns uint8 [len(rows), c, image_size, image_size], where c is
    ``channels`` or, if that is None, 1 if every image is grey and else 3; and the images that cannot be read, as
    positions in ``rows`` with the reason (their pixels are zero).
    """
    from tqdm import tqdm

    pixels = np.zeros((len(rows), channels or 3, image_size, image_size), dtype=np.uint8)
    grey = np.ones(len(rows), dtype=bool)

    def decode_chunk(start: int) -> dict[int, str]:
        failures = {}
        chunk = rows[start : start + _CHUNK]
        for position, item in enumerate(fetch(chunk.tolist()), start=start):
            try:
                with _open(item) as image:
                    decoded = to_pixels(image, image_size, channels=channels, aspect=aspect)
            except Exception as error:  # Pillow's decoders raise whatever a damaged file leads them to
                failures[position] = f"{type(error).__name__}: {error}"
                continue
            pixels[position] = decoded
            grey[position] = len(decoded) == 1
        return failures

    failures: dict[int, str] = {}
    starts = range(0, len(rows), _CHUNK)
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        # `delay`: a bar for less than two seconds is noise.
        parts = pool.map(decode_chunk, starts)
        for part in tqdm(parts, "reading images", total=len(starts), delay=2, mininterval=1, leave=False, disable=None):
            failures.update(part)
    if channels is None and grey.all():
        pixels = np.ascontiguousarray(pixels[:, :1])
    return pixels, failures


def _open(item: Encoded) -> Image.Image:
    if isinstance(item, Image.Image):
        return item
    return Image.open(io.BytesIO(item) if isinstance(item, bytes) else item)


def _is_grey(image: Image.Image) -> bool:
    """Whether the file is a grey one: by its mode, or, if it has a palette, by the colours that it uses."""
    if image.mode in ("1", "L", "LA"):
        return True
    if image.mode != "P":
        return False
    used = np.asarray(image.convert("RGB"))
    return bool((used[..., 0] == used[..., 1]).all() and (used[..., 0] == used[..., 2]).all())
