"""Which files are images, and which of them can be read here."""

from __future__ import annotations

import importlib
import importlib.util

HEIF = frozenset({".heic", ".heif", ".hif"})
_WHERE_PILLOW_CAN = frozenset({".avif", ".avifs", ".mpo", ".qoi"}) | HEIF
_NOT_READ = frozenset(
    {".svg", ".svgz", ".jxl", ".xcf", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf", ".pef", ".srw"}
)


def suffixes_read() -> frozenset[str]:
    """Suffixes (lower case, with the dot) of the image files that are read.

    Those of the `datasets` library, and others that the installed Pillow has a reader for: AVIF, if it was built with
    it; HEIC, if the package pillow-heif is installed.
    """
    from datasets.packaged_modules.imagefolder.imagefolder import ImageFolder
    from PIL import Image

    if importlib.util.find_spec("pillow_heif") is not None:
        importlib.import_module("pillow_heif").register_heif_opener()
    return frozenset(ImageFolder.EXTENSIONS) | _WHERE_PILLOW_CAN.intersection(Image.registered_extensions())


def suffixes_not_read(read: frozenset[str]) -> frozenset[str]:
    """Suffixes of image files for which there is no reader here, given those that are read."""
    return (_WHERE_PILLOW_CAN | _NOT_READ) - read
