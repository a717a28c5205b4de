"""Smaller copies of prepared images."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def shrink(images: Tensor, image_size: int) -> Tensor:
    """Images uint8 ``[n, c, h, w]`` on the CPU to ``[n, c, image_size, image_size]``; the same where they are so small.

    Bilinear, with anti-aliasing, as images are resized when they are prepared.
    """
    if images.shape[2:] == (image_size, image_size):
        return images
    return functional.interpolate(images, (image_size, image_size), mode="bilinear", antialias=True)
