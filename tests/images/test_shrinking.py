from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from archatlas.errors import ArchatlasError
from archatlas.images.decoding import to_pixels
from archatlas.images.shrinking import shrink


def test_half_the_size_is_the_mean_of_neighbours_weighted_by_a_triangle() -> None:
    # A step from 0 to 128: the triangle of width 4 weighs pixels 1 3 3 1.
    row = torch.tensor([0, 0, 0, 0, 128, 128, 128, 128], dtype=torch.uint8)
    small = shrink(row.expand(1, 1, 8, 8), 4)
    assert small.shape == (1, 1, 4, 4)
    assert small[0, 0].unique(dim=0).tolist() == [[0, 16, 112, 128]]


def test_images_are_shrunk_as_they_are_prepared() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    prepared = to_pixels(Image.fromarray(pixels), 12, channels=3, aspect="crop")
    shrunk = shrink(torch.from_numpy(pixels).permute(2, 0, 1)[None], 12)[0].numpy()
    assert (shrunk == prepared).all()


def test_images_are_never_enlarged() -> None:
    with pytest.raises(ArchatlasError, match=r"of images of 32 pixels cannot see images of 16 x 16"):
        shrink(torch.zeros(1, 3, 16, 16, dtype=torch.uint8), 32)


def test_images_of_that_size_are_the_same() -> None:
    images = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    assert shrink(images, 8) is images
