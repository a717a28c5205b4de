"""Image files of 16 bits a channel, which Pillow does not write."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

_KINDS = {1: 0, 2: 4, 3: 2, 4: 6}
"""PNG's number for so many channels: grey and colours, each with or without an alpha."""


def png_file(header: bytes, pixels: bytes) -> bytes:
    """A PNG of a header and compressed pixels."""
    parts = [(b"IHDR", header), (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )


def deep_png(values: NDArray[np.uint16]) -> bytes:
    """Values ``[h, w, channels]`` as a PNG."""
    height, width, channels = values.shape
    lines = b"".join(b"\0" + line.astype(">u2").tobytes() for line in values)
    return png_file(struct.pack(">IIBBBBB", width, height, 16, _KINDS[channels], 0, 0, 0), zlib.compress(lines))


def deep_tiff(values: NDArray[np.uint16], *, compressed: bool = False, in_planes: bool = False) -> bytes:
    """Colours ``[h, w, 3]``, or inks ``[h, w, 4]``, as a TIFF, pixel by pixel or channel by channel."""
    height, width, channels = values.shape
    planes = [values[..., channel] for channel in range(channels)] if in_planes else [values]
    strips = [one.astype("<u2").tobytes() for one in planes]
    strips = [zlib.compress(one) for one in strips] if compressed else strips
    lists = 8 + 2 + 10 * 12 + 4  # Behind the head and the ten tags: what does not fit into a tag.
    places = lists + 2 * channels
    starts = places + 8 * len(strips)
    colours, order = 2 if channels == 3 else 5, 2 if in_planes else 1
    offsets = [starts + sum(map(len, strips[:number])) for number in range(len(strips))]

    def numbers(at: int, several: list[int]) -> tuple[int, int]:
        return len(several), several[0] if len(several) == 1 else at

    tags: list[tuple[int, int, tuple[int, int]]] = [
        (256, 4, (1, width)), (257, 4, (1, height)), (258, 3, (channels, lists)), (259, 3, (1, 8 if compressed else 1)),
        (262, 3, (1, colours)), (273, 4, numbers(places, offsets)), (277, 3, (1, channels)), (278, 4, (1, height)),
        (279, 4, numbers(places + 4 * len(strips), list(map(len, strips)))), (284, 3, (1, order)),
    ]  # fmt: skip
    head = b"II*\0" + struct.pack("<IH", 8, len(tags))
    directory = b"".join(struct.pack("<HHII", number, kind, *told) for number, kind, told in tags)
    many = struct.pack(f"<{channels}H{2 * len(strips)}I", *[16] * channels, *offsets, *map(len, strips))
    return head + directory + struct.pack("<I", 0) + many + b"".join(strips)
