"""Smaller copies of prepared images."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from archatlas.errors import ArchatlasError


def shrink(images: Tensor, image_size: int) -> Tensor:
    """Images uint8 ``[n, c, h, w]`` on the CPU to ``[n, c, image_size, image_size]``; themselves if that is their size.

    Bilinear, with anti-aliasing, as images are resized when they are prepared.

    Raises:
        ArchatlasError: they are smaller.
    """
    height, width = images.shape[2:]
    if (height, width) == (image_size, image_size):
        return images
    if min(height, width) < image_size:
        raise ArchatlasError(
            f"a super-network of images of {image_size} pixels cannot see images of {height} x {width}: they are never "
            "enlarged. Prepare them at `images.image_size` pixels of the super-network or more, or train it anew."
        )
    return functional.interpolate(images, (image_size, image_size), mode="bilinear", antialias=True)
