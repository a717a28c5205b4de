"""Encoded images to square uint8 pixels."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from archatlas.images.predict import (
    UnreadableImageError,
    is_deep,
    is_deep_colour,
    opened,
    own_limit,
    to_square,
    upright,
)
from archatlas.progress import progress_bar
from archatlas.storage.large_arrays import room_for, taken

Encoded = bytes | Path | Image.Image
Pixels = NDArray[np.uint8]

_CHUNK = 256
_LARGE = 50_000_000  # Pixels: such an image takes hundreds of megabytes, so that they are decoded one at a time.
_one_at_a_time = threading.Lock()


class Decoded(NamedTuple):
    """Images as pixels, those that cannot be read, and the largest value of each that has 16 bits, by position.

    ``colours`` are the positions of those of 16 bits that hold colours, or an alpha channel: the highest 8 are known
    alone, and what the others could be at the most counts. This is of PNG and TIFF: of other files Pillow does not say
    how many bits they have.
    """

    pixels: Pixels
    failures: dict[int, str]
    largest: dict[int, int]
    colours: frozenset[int]


def to_pixels(
    image: Image.Image,
    image_size: int,
    *,
    channels: Literal[1, 3] | None,
    aspect: Literal["crop", "pad", "stretch"],
    bits: int = 16,
) -> Pixels:
    """The image as uint8 [c, image_size, image_size]; ``channels`` None keeps grey grey (1) and colour RGB (3).

    The camera's rotation (EXIF) is applied; of several frames the first is taken. Transparent images are laid on
    white. Of 16-bit values, of which ``bits`` are in use, the highest 8 stay (`UnreadableImageError` for colours if
    ``bits`` are fewer than 16: Pillow has cut them); floating-point values are taken as 0..1, or as 0..255 if any
    exceeds 1.
    Images that are not square are cut to the central square (``crop``), padded with black (``pad``; however narrow an
    image is, a line of its pixels stays), or distorted (``stretch``); resizing is bilinear, with anti-aliasing where it
    shrinks. Grey is the luma of ITU-R BT.601.
    """
    plain = upright(image, image_size, bits)
    return to_square(plain, image_size, channels or (1 if _is_grey(plain) else 3), aspect)


def decode(
    fetch: Callable[[Sequence[int]], Sequence[Encoded]],
    rows: NDArray[np.int64],
    image_size: int,
    *,
    channels: Literal[1, 3] | None,
    aspect: Literal["crop", "pad", "stretch"],
    bits: int = 16,
) -> Decoded:
    """Decode the images at ``rows`` with several threads, straight into one array.

    ``fetch`` gives the encoded images at some rows. Returns uint8 [len(rows), c, image_size, image_size], where c is
    ``channels`` or, if that is None, 1 if every image is grey and else 3; and the images that cannot be read, as
    positions in ``rows`` with the reason (their pixels are zero). Images of more than `MOST_MEGAPIXELS` are among them.
    ``bits`` is how many are in use in 16-bit images: `bits_in_use` of all of them.
    """
    pixels = room_for((len(rows), channels or 3, image_size, image_size), np.uint8)
    grey = np.ones(len(rows), dtype=bool)

    def decode_chunk(start: int) -> tuple[dict[int, str], dict[int, int], set[int]]:
        failures, largest, colours = {}, {}, set()
        chunk = rows[start : start + _CHUNK]
        for position, item in enumerate(fetch(chunk.tolist()), start=start):
            try:
                with open_image(item) as image, _one_at_a_time if _is_large(image) else nullcontext():
                    is_colour = is_deep_colour(image)
                    decoded = to_pixels(image, image_size, channels=channels, aspect=aspect, bits=bits)
                    if is_deep(image):
                        largest[position] = int(np.asarray(image).max())
                    elif is_colour:
                        largest[position] = _largest_of_colours(image)
                        colours.add(position)
            except UnreadableImageError as error:
                failures[position] = str(error)
                continue
            except Exception as error:  # Pillow's decoders raise whatever a damaged file leads them to
                # Not what names the file: where it lies, or an address in memory, must not stand in a result.
                system = error.strerror if isinstance(error, OSError) else None
                failures[position] = f"{type(error).__name__}: {system or error}"
                continue
            pixels[position] = decoded
            grey[position] = len(decoded) == 1
        return failures, largest, colours

    from joblib import cpu_count

    failures: dict[int, str] = {}
    largest: dict[int, int] = {}
    colours: set[int] = set()
    starts = range(0, len(rows), _CHUNK)
    with own_limit(), ThreadPoolExecutor(max_workers=min(8, cpu_count())) as pool:
        parts = pool.map(decode_chunk, starts)
        # `delay`: a bar for less than two seconds is noise.
        with progress_bar(
            total=len(rows), desc="reading images", unit="image", delay=2, mininterval=1, leave=False
        ) as bar:
            for start, (failed, deep, coloured) in zip(starts, parts, strict=True):
                failures.update(failed)
                largest.update(deep)
                colours.update(coloured)
                bar.update(min(_CHUNK, len(rows) - start))
    if channels is None and grey.all():
        pixels = taken(pixels[:, :1], np.arange(len(pixels)))
    return Decoded(pixels, failures, largest, frozenset(colours))


def bits_in_use(largest: Iterable[int]) -> int:
    """How many bits 16-bit images use, 8 to 16, by the largest value of each; 16 without any."""
    most = max(largest, default=0xFFFF)
    return min(max(most.bit_length(), 8), 16)


def open_image(item: Encoded) -> Image.Image:
    """Open an image, inside `own_limit`. Raises `UnreadableImageError` saying what is wrong, or what Pillow raises."""
    if isinstance(item, Image.Image):
        return item
    if isinstance(item, Path):
        if not item.exists():
            raise UnreadableImageError("a link to nothing" if item.is_symlink() else "there is no such file")
        if not item.is_file():  # Opening a named pipe would wait for who writes to it.
            raise UnreadableImageError("not a regular file")
    if (item.stat().st_size if isinstance(item, Path) else len(item)) == 0:
        raise UnreadableImageError("empty file")
    try:
        return opened(io.BytesIO(item) if isinstance(item, bytes) else item)
    except UnidentifiedImageError as error:
        raise UnreadableImageError("no image, or of a kind that is not known") from error


def _largest_of_colours(image: Image.Image) -> int:
    """The largest that a colour of 16 bits may have been, of which 8 were read; how opaque it is does not count."""
    colours = np.asarray(image)[..., [band != "A" for band in image.getbands()]]
    return int(colours.max()) << 8 | 0xFF


def _is_large(image: Image.Image) -> bool:
    return image.width * image.height > _LARGE


def _is_grey(image: Image.Image) -> bool:
    """Whether the file is a grey one: by its mode, or, if it has a palette, by the colours that it uses."""
    if image.mode in ("1", "L", "LA"):
        return True
    if image.mode != "P":
        return False
    used = np.asarray(image.convert("RGB"))
    return bool((used[..., 0] == used[..., 1]).all() and (used[..., 0] == used[..., 2]).all())
