from __future__ import annotations

import io
from unittest import mock

import numpy as np
import pytest
from PIL import Image

from archatlas.images.suitable_size import SIZES, suitable_size


def encoded(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height)).save(file, "png")
    return file.getvalue()


def size_of(images: int, seconds: float | None, *shapes: tuple[int, int], cores: int = 2) -> int:
    files = [encoded(*shape) for shape in shapes]
    with mock.patch("joblib.cpu_count", return_value=cores):
        return suitable_size(lambda rows: [files[row % len(files)] for row in rows], np.arange(images), seconds)[0]


def test_three_thousand_photographs_in_an_evening() -> None:
    # 3,000 images x 100 epochs / 400 a second: 750 core seconds at 32 pixels, four times as many at 64.
    assert [size_of(3000, minutes * 60, (400, 300)) for minutes in (10, 30, 60, 120)] == [32, 32, 48, 64]
    assert size_of(3000, 1800, (400, 300), cores=16) == 96
    # Few images are not made large, however much time there is.
    assert size_of(100, 1800, (400, 300)) == size_of(999, 10**6, (400, 300)) == 96
    assert size_of(1000, 10**6, (400, 300)) == 224


def test_images_are_not_enlarged_and_damaged_ones_do_not_count() -> None:
    assert size_of(10, 7200, (100, 70)) == 64
    assert size_of(10, 7200, (20, 20)) == SIZES[0]
    files = [b"no image", encoded(100, 70)]
    assert suitable_size(lambda rows: [files[row] for row in rows], np.arange(2), 7200) == (64, (32, 48, 64))
    assert suitable_size(lambda rows: [b""], np.arange(1), 7200) == (SIZES[0], SIZES[:1])


def test_a_gpu_that_does_not_count_is_told_of_where_time_has_decided(caplog: pytest.LogCaptureFixture) -> None:
    def told(gpu: bool, seconds: float | None, side: int = 500) -> bool:
        caplog.clear()
        with mock.patch("torch.cuda.is_available", return_value=gpu):
            size_of(3000, seconds, (side, side))
        return (
            "images are brought to 48 pixels" in caplog.text
            and "`images.image_size`, to 224 at the most" in caplog.text
        )

    assert told(gpu=True, seconds=3600)
    assert not told(gpu=False, seconds=3600)
    assert not told(gpu=True, seconds=None)
    assert not told(gpu=True, seconds=3600, side=48)
    assert not caplog.text


@pytest.mark.parametrize(("side", "size"), [(500, 64), (50, 48)])
def test_without_a_time_photographs_stay_small(side: int, size: int) -> None:
    assert size_of(100_000, None, (side, side)) == size
