"""Smaller copies of prepared images."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from archatlas.errors import ArchatlasError
from archatlas.images.predict import shrunk
from archatlas.storage.large_arrays import room_for


def shrink(images: Tensor, image_size: int) -> Tensor:
    """Images uint8 ``[n, c, h, w]`` on the CPU to ``[n, c, image_size, image_size]``; themselves if that is their size.

    Bilinear, with anti-aliasing, by the code that goes with exported networks: these see the very same pixels.

    Raises:
        ArchatlasError: they are smaller.
    """
    height, width = images.shape[2:]
    if (height, width) == (image_size, image_size):
        return images
    if min(height, width) < image_size:
        raise ArchatlasError(
            f"a network of images of {image_size} pixels cannot see images of {height} x {width}: they are never "
            "enlarged. Prepare them at `images.image_size` pixels of the network or more, or train it anew."
        )
    small = room_for((len(images), images.shape[1], image_size, image_size), np.uint8)
    for number, image in enumerate(images.numpy()):
        small[number] = shrunk(image, image_size)
    return torch.from_numpy(small)
