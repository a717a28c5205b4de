from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from archatlas.images.decoding import decode, to_pixels


def saved(image: Image.Image, kind: str = "PNG", **options) -> Image.Image:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return Image.open(io.BytesIO(file.getvalue()))


def pixels(image: Image.Image, size: int = 2, channels=None, aspect="crop") -> np.ndarray:
    return to_pixels(image, size, channels=channels, aspect=aspect)


def test_images_of_the_right_form_are_untouched():
    array = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    assert np.array_equal(pixels(saved(Image.fromarray(array))), array.transpose(2, 0, 1))
    assert np.array_equal(pixels(saved(Image.fromarray(array[..., 0])))[0], array[..., 0])


def test_rotation_of_the_camera_is_applied():
    array = np.array([[10, 20], [30, 40]], dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    turned = pixels(saved(Image.fromarray(array), exif=exif))
    assert turned[0].tolist() == [[30, 10], [40, 20]]


def test_sixteen_bits_are_scaled_not_clipped():
    assert pixels(saved(Image.fromarray(np.full((2, 2), 0x8012, dtype=np.uint16)))).tolist() == [[[128, 128]] * 2]


def test_floats_up_to_one_or_up_to_255():
    unit = saved(Image.fromarray(np.full((2, 2), 0.5, dtype=np.float32)), "TIFF")
    assert pixels(unit)[0, 0, 0] == 128
    byte = saved(Image.fromarray(np.full((2, 2), 200.2, dtype=np.float32)), "TIFF")
    assert pixels(byte)[0, 0, 0] == 200


def test_transparency_is_laid_on_white():
    array = np.zeros((2, 2, 4), dtype=np.uint8)
    array[0, 0] = (200, 0, 0, 255)
    result = pixels(saved(Image.fromarray(array)))
    assert result[:, 0, 0].tolist() == [200, 0, 0]
    assert result[:, 1, 1].tolist() == [255, 255, 255]
    grey = pixels(saved(Image.fromarray(array[..., [1, 3]], mode="LA")))
    assert grey.tolist() == [[[0, 255], [255, 255]]]


def test_palettes_are_colour_unless_their_colours_are_grey():
    colour = Image.new("P", (2, 2), 1)
    colour.putpalette([0, 0, 0, 10, 20, 30])
    assert pixels(saved(colour))[:, 0, 0].tolist() == [10, 20, 30]
    grey = Image.new("P", (2, 2), 1)
    grey.putpalette([0, 0, 0, 9, 9, 9])
    assert pixels(saved(grey)).tolist() == [[[9, 9], [9, 9]]]


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "CMYK", "P", "YCbCr", "HSV", "RGBA", "LA", "I", "F"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_mode_can_be_brought_to_grey_and_to_colour(mode: str, channels: int):
    result = pixels(Image.new("RGB", (5, 3), (90, 90, 90)).convert(mode), channels=channels)
    assert result.shape == (channels, 2, 2)
    assert result.dtype == np.uint8


def test_three_ways_with_images_that_are_not_square():
    array = np.repeat(np.array([[0, 100, 200, 255]], dtype=np.uint8), 2, axis=0)  # 2 high, 4 wide
    image = Image.fromarray(array)
    assert pixels(image, aspect="crop")[0].tolist() == [[100, 200]] * 2
    assert pixels(image, 4, aspect="pad")[0][[0, 3]].tolist() == [[0] * 4] * 2
    assert np.abs(pixels(image, 4, aspect="pad")[0][1:3].astype(int) - array).max() == 0
    # A triangle of half width 2 about 1.0: 0, 100 and 200 weigh 3, 3 and 1.
    assert pixels(image, aspect="stretch")[0].tolist() == [[71, 209]] * 2


@pytest.mark.parametrize("size", [(1, 900), (900, 1), (1, 1)])
@pytest.mark.parametrize("aspect", ["crop", "pad", "stretch"])
def test_extreme_shapes(size: tuple[int, int], aspect: str):
    assert pixels(Image.new("L", size, 7), 8, aspect=aspect).shape == (1, 8, 8)


def test_large_photographs_are_read_at_low_resolution_to_the_same_effect():
    ramp = np.tile(np.linspace(0, 255, 640).astype(np.uint8), (480, 1))
    photo = saved(Image.fromarray(ramp), "JPEG", quality=95)
    exact = pixels(Image.fromarray(ramp), 16)
    assert np.abs(pixels(photo, 16).astype(int) - exact).max() <= 2


def fetch_of(items):
    return lambda rows: [items[row] for row in rows]


def encoded(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def test_all_grey_stays_grey_and_a_mixture_becomes_colour(tmp_path: Path):
    path = tmp_path / "x.png"
    path.write_bytes(encoded(Image.new("L", (3, 3), 5)))
    items = [Image.new("L", (2, 2), 1), encoded(Image.new("L", (4, 2), 2)), path]
    grey, failures = decode(fetch_of(items), np.array([2, 0, 1]), 2, channels=None, aspect="crop")
    assert (grey.shape, grey[:, 0, 0, 0].tolist(), failures) == ((3, 1, 2, 2), [5, 1, 2], {})
    items.append(Image.new("RGB", (2, 2), (1, 2, 3)))
    mixed, _ = decode(fetch_of(items), np.arange(4), 2, channels=None, aspect="crop")
    assert mixed[:, :, 0, 0].tolist() == [[1, 1, 1], [2, 2, 2], [5, 5, 5], [1, 2, 3]]
    assert decode(fetch_of(items), np.arange(4), 2, channels=1, aspect="crop")[0].shape == (4, 1, 2, 2)


def test_what_cannot_be_read_is_said(tmp_path: Path):
    whole = encoded(Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)))
    items = [whole, whole[: len(whole) // 2], b"", b"not an image", tmp_path / "gone.png"]
    result, failures = decode(fetch_of(items), np.arange(5), 4, channels=None, aspect="crop")
    assert set(failures) == {1, 2, 3, 4}
    assert "truncated" in failures[1]
    assert "FileNotFoundError" in failures[4]
    assert result[0].any()
    assert not result[1:].any()
