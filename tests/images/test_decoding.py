from __future__ import annotations

import io
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from archatlas.images.decoding import bits_in_use, decode, to_pixels

from ..deep_images import deep_png, deep_tiff, png_file


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


def test_of_sixteen_bits_the_highest_that_are_in_use_stay():
    values = np.array([[0, 0x0FFF], [0x0812, 0xFFFF]], dtype=np.uint16)
    result = to_pixels(saved(Image.fromarray(values)), 2, channels=None, aspect="crop", bits=12)
    assert result.tolist() == [[[0, 255], [0x81, 255]]]  # What is beyond 12 bits is white.


@pytest.mark.parametrize(
    ("largest", "bits"), [([], 16), ([0], 8), ([255, 3], 8), ([256], 9), ([4095], 12), ([40_000], 16)]
)
def test_bits_in_use_are_those_of_the_largest_value_of_all(largest: list[int], bits: int):
    assert bits_in_use(largest) == bits


def test_the_largest_value_of_each_image_of_sixteen_bits_is_told():
    deep = Image.fromarray(np.array([[5, 700]], dtype=np.uint16))
    items = [Image.new("L", (2, 2), 9), encoded(deep), b"no image", Image.new("I", (2, 2), 90_000)]
    assert decode(fetch_of(items), np.arange(4), 2, channels=None, aspect="crop").largest == {1: 700, 3: 90_000}


COLOURS = np.array([[[0, 0x80FF, 0xFFFF], [0x1234, 0x0FFF, 0xABCD]]] * 2, dtype=np.uint16)
OPAQUE = np.full((2, 2, 1), 0xFFFF, dtype=np.uint16)


@pytest.mark.parametrize(
    "file",
    [
        deep_png(COLOURS),
        deep_png(np.dstack([COLOURS, OPAQUE])),
        deep_tiff(COLOURS),
        deep_tiff(COLOURS, compressed=True),
        deep_tiff(COLOURS, compressed=True, in_planes=True),
    ],
    ids=["png", "png_alpha", "tiff", "tiff_deflate", "tiff_planes"],
)
def test_of_colours_of_sixteen_bits_the_highest_eight_stay_or_they_are_refused(file: bytes):
    read = decode(fetch_of([file]), np.arange(1), 2, channels=None, aspect="crop")
    assert np.array_equal(read.pixels[0], (COLOURS >> 8).transpose(2, 0, 1))
    assert read.failures == {}
    assert read.largest == {0: 0xFFFF}
    fewer = decode(fetch_of([file]), np.arange(1), 2, channels=None, aspect="crop", bits=12)
    told = (
        "colours of 16 bits, of which 12 are in use and Pillow reads the highest 8 alone: save it with 8 bits a channel"
    )
    assert fewer.failures == {0: told}


def test_how_opaque_colours_are_says_nothing_of_the_bits_that_they_use():
    values = np.dstack([np.full((2, 2, 3), 0x0ABC, dtype=np.uint16), OPAQUE])
    grey = np.dstack([np.full((2, 2, 1), 0x0ABC, dtype=np.uint16), OPAQUE])
    read = decode(fetch_of([deep_png(values), deep_png(grey)]), np.arange(2), 2, channels=None, aspect="crop")
    assert read.largest == {0: 0x0AFF, 1: 0x0AFF}
    assert bits_in_use(read.largest.values()) == 12


@pytest.mark.parametrize("values", [COLOURS, np.dstack([COLOURS, OPAQUE])], ids=["rgb", "cmyk"])
def test_colours_of_sixteen_bits_in_planes_are_refused_where_pillow_garbles_them(values: np.ndarray):
    file = deep_tiff(values, in_planes=True)
    failures = decode(fetch_of([file]), np.arange(1), 2, channels=None, aspect="crop").failures
    told = "a TIFF file of colours of 16 bits in planes, which Pillow garbles: save it with 8 bits a channel"
    assert failures == {0: told}


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


SIDES = st.one_of(st.sampled_from([1, 2, 3, 5, 17, 900, 4000]), st.integers(1, 300))


@given(SIDES, SIDES, st.sampled_from([4, 7, 8, 32]), st.sampled_from(["crop", "pad", "stretch"]), st.booleans())
@example(30, 90, 8, "pad", True)
@example(90, 30, 8, "crop", True)
@example(1000, 100, 32, "stretch", True)
@example(4000, 400, 8, "pad", True)
@example(1000, 10, 8, "pad", False)
@example(1, 900, 8, "pad", False)
@example(113, 165, 8, "pad", True)
@settings(max_examples=60)
def test_nothing_of_an_image_is_lost_whatever_its_shape(width: int, height: int, size: int, aspect: str, as_jpeg: bool):
    image = Image.new("L", (width, height), 200)
    result = pixels(saved(image, "JPEG", quality=95) if as_jpeg else image, size, aspect=aspect)
    assert result.shape == (1, size, size)
    bright = result[0] >= 198
    if aspect != "pad":
        assert bright.all()
    else:  # A band of the image's own shape in the middle, and black beside it.
        assert (bright | (result[0] == 0)).all()
        across, along = (bright.any(axis=1), bright.any(axis=0)) if width >= height else (bright.any(0), bright.any(1))
        assert along.all()
        # A JPEG is decoded at a fraction of its size, whose sides are rounded up before the band's width is.
        rounding = 1 if as_jpeg else 0.5
        assert abs(across.sum() - max(1, min(width, height) / max(width, height) * size)) <= rounding + 1e-9
        assert abs(int(across.argmax()) - int(across[::-1].argmax())) <= 1


def one_bit_png(width: int, height: int) -> bytes:
    """The head of a PNG file that claims to be so large, and no pixels."""
    return png_file(struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0), b"")


@pytest.mark.filterwarnings("error")
def test_a_photograph_of_200_megapixels_is_read_and_more_than_400_are_refused_by_name():
    before = Image.MAX_IMAGE_PIXELS
    items = [encoded(Image.new("1", (20_000, 10_000), 1)), one_bit_png(20_001, 20_000)]
    result, failures, *_ = decode(fetch_of(items), np.arange(2), 4, channels=None, aspect="crop")
    assert (result[0] == 255).all()
    assert failures == {1: "more than the 400 megapixels that an image may have"}
    assert before == Image.MAX_IMAGE_PIXELS


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
    grey, failures, *_ = decode(fetch_of(items), np.array([2, 0, 1]), 2, channels=None, aspect="crop")
    assert (grey.shape, grey[:, 0, 0, 0].tolist(), failures) == ((3, 1, 2, 2), [5, 1, 2], {})
    items.append(Image.new("RGB", (2, 2), (1, 2, 3)))
    mixed, *_ = decode(fetch_of(items), np.arange(4), 2, channels=None, aspect="crop")
    assert mixed[:, :, 0, 0].tolist() == [[1, 1, 1], [2, 2, 2], [5, 5, 5], [1, 2, 3]]
    assert decode(fetch_of(items), np.arange(4), 2, channels=1, aspect="crop").pixels.shape == (4, 1, 2, 2)


def test_what_cannot_be_read_is_said(tmp_path: Path):
    whole = encoded(Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)))
    (tmp_path / "zero.png").touch()
    (tmp_path / "link.png").symlink_to(tmp_path / "gone.png")
    os.mkfifo(tmp_path / "pipe.png")
    files = [tmp_path / f"{name}.png" for name in ("gone", "zero", "link", "pipe")]
    items = [whole, whole[: len(whole) // 2], b"", b"not an image", *files]
    result, failures, *_ = decode(fetch_of(items), np.arange(8), 4, channels=None, aspect="crop")
    assert set(failures) == set(range(1, 8))
    assert "truncated" in failures[1]
    assert [failures[at] for at in (2, 3, 4, 5, 6, 7)] == [
        "empty file",
        "no image, or of a kind that is not known",
        "there is no such file",
        "empty file",
        "a link to nothing",
        "not a regular file",
    ]
    assert result[0].any()
    assert not result[1:].any()
