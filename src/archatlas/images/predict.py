"""Name what is on images, with an exported network.

    python predict.py IMAGE ...                                  # network.onnx, which lies beside this script
    python predict.py --network network_int8.onnx IMAGE ...

Needs Python 3.10 or newer, onnxruntime and Pillow, nothing else (NumPy comes with onnxruntime). The ONNX file's own
metadata say how images are brought to its form: the pixels are exactly those of archatlas, which reads images by this
code too.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

DRAFT_FACTOR = 2
"""A JPEG decoder may leave out detail beyond this many times the size: a photograph of 12 megapixels reads 10 times as
fast."""
MOST_MEGAPIXELS = 400
"""Larger images are refused: a small file can claim to hold more pixels than there is memory."""
_BITS_PER_SAMPLE = 258  # A tag of TIFF files.

_lock, _limit, _inside = threading.Lock(), ExitStack(), 0


class UnreadableImageError(Exception):
    """An image that cannot be read, for a reason that its message says in full."""


def main() -> None:
    import onnxruntime

    parser = argparse.ArgumentParser(description="Name what is on images, with an exported network.")
    parser.add_argument("images", nargs="+", type=Path, help="image files")
    parser.add_argument("--network", default="network.onnx", help="file beside this script (network.onnx)")
    options = parser.parse_args()
    session = onnxruntime.InferenceSession(
        str(Path(__file__).parent / options.network), providers=["CPUExecutionProvider"]
    )
    told = session.get_modelmeta().custom_metadata_map
    names, form = json.loads(told["class_names"]), json.loads(told["preprocessing"])
    for file in options.images:
        try:
            with own_limit(), opened(file) as image:
                pixels = pixels_of(image, form)
        except (OSError, UnreadableImageError) as error:
            sys.exit(f"{file} cannot be read: {error}")
        (logits,) = session.run(["logits"], {"pixels": pixels[None].astype(np.float32) / 255})
        weights = np.exp(logits[0] - logits[0].max())
        best = int(weights.argmax())
        print(f"{file}\t{names[best]}\t{weights[best] / weights.sum():.4f}")


def opened(file: Any) -> Image.Image:
    """Open an image, inside `own_limit`: a path, or a file of bytes. What has more pixels is unreadable."""
    try:
        return Image.open(file)
    except Image.DecompressionBombError as error:
        raise UnreadableImageError(f"more than the {MOST_MEGAPIXELS} megapixels that an image may have") from error


@contextmanager
def own_limit() -> Iterator[None]:
    """Pillow refuses images of more than `MOST_MEGAPIXELS`, and warns of none, until all threads have left this."""
    global _inside
    with _lock:
        if not _inside:
            _limit.enter_context(warnings.catch_warnings())
            _limit.callback(setattr, Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            # It warns from here on, and refuses from the double.
            Image.MAX_IMAGE_PIXELS = MOST_MEGAPIXELS * 1_000_000 // 2
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                _limit.close()


def pixels_of(image: Image.Image, form: dict[str, Any]) -> np.ndarray:
    """The image in the form that a network takes, uint8 ``[channels, size, size]``."""
    first, bits = form.get("prepared_size") or form["size"], form.get("bits", 16)
    return shrunk(to_square(upright(image, first, bits), first, form["channels"], form["aspect"]), form["size"])


def upright(image: Image.Image, size: int, bits: int) -> Image.Image:
    """The image as the camera was held, opaque, with eight bits a channel; JPEGs with no more detail than needed."""
    check_colours(image, bits)
    if image.format == "JPEG":
        image.draft(None, (size * DRAFT_FACTOR, size * DRAFT_FACTOR))
    return eight_bits(ImageOps.exif_transpose(image), bits)


def is_deep(image: Image.Image) -> bool:
    """Whether the image is grey with whole numbers of 16 bits, of which a camera or a scanner may use fewer."""
    return image.mode == "I" or image.mode.startswith("I;16")


def is_deep_colour(image: Image.Image) -> bool:
    """Whether the file holds colours of 16 bits, of which Pillow reads the highest 8; asked before it is read."""
    return not is_deep(image) and any(re.search(r";16[BLN]$", mode) for mode in _raw_modes(image))


def check_colours(image: Image.Image, bits: int) -> None:
    """Raise `UnreadableImageError` where the 8 bits that Pillow reads of 16-bit colours are not the highest in use."""
    planes = getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, ())
    if len(planes) > 1 and max(planes) > 8 and any(len(mode) == 1 for mode in _raw_modes(image)):
        raise UnreadableImageError(
            f"a TIFF file of colours of {max(planes)} bits in planes, which Pillow garbles: save it with 8 bits a "
            "channel"
        )
    if bits < 16 and is_deep_colour(image):
        raise UnreadableImageError(
            f"colours of 16 bits, of which {bits} are in use and Pillow reads the highest 8 alone: save it with 8 bits "
            "a channel"
        )


def _raw_modes(image: Image.Image) -> list[str]:
    """How Pillow will read each part of a file; nothing of an image that has been read."""
    given = [tile[3] for tile in getattr(image, "tile", ())]
    return [str(how[0] if isinstance(how, tuple) and how else how) for how in given]


def eight_bits(image: Image.Image, bits: int) -> Image.Image:
    """Laid on white, and with eight bits a channel, the highest of ``bits`` in use; Pillow's own conversion clips."""
    if is_deep(image):
        whole = np.asarray(image).astype(np.int64).clip(0, 2**bits - 1)
        return Image.fromarray((whole >> (bits - 8)).astype(np.uint8))
    if image.mode == "F":
        values: Any = np.nan_to_num(np.asarray(image))
        scale = 255.0 if values.max(initial=0.0) <= 1.0 else 1.0
        return Image.fromarray((values * scale).round().clip(0, 255).astype(np.uint8))
    if not image.has_transparency_data:
        return image
    grey = image.mode in ("L", "LA")
    opaque = image.convert("RGBA")
    white = Image.new("RGBA", opaque.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, opaque).convert("L" if grey else "RGB")


def to_square(image: Image.Image, size: int, channels: int, aspect: str) -> np.ndarray:
    """Grey (luma of ITU-R BT.601) or RGB, cropped, padded or stretched: uint8 ``[channels, size, size]``."""
    plain, side = image.convert("L" if channels == 1 else "RGB"), (size, size)
    if aspect == "crop":
        plain = ImageOps.fit(plain, side, Image.Resampling.BILINEAR)
    elif aspect == "pad":
        if round(min(plain.size) / max(plain.size) * size) == 0:  # of which Pillow's `pad` would leave nothing
            plain = plain.resize((size, 1) if plain.width > plain.height else (1, size), Image.Resampling.BILINEAR)
        plain = ImageOps.pad(plain, side, Image.Resampling.BILINEAR)
    elif plain.size != side:
        plain = plain.resize(side, Image.Resampling.BILINEAR)
    array = np.asarray(plain, dtype=np.uint8)
    return array[None] if channels == 1 else array.transpose(2, 0, 1)


def shrunk(pixels: np.ndarray, size: int) -> np.ndarray:
    """uint8 ``[channels, h, w]`` to ``[channels, size, size]``: the smaller copy that a network may be trained on."""
    if pixels.shape[1:] == (size, size):
        return pixels
    image = Image.fromarray(pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    return to_square(image, size, len(pixels), "stretch")


if __name__ == "__main__":
    main()
