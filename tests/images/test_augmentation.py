from __future__ import annotations

import math
from unittest import mock

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from archatlas.errors import ArchatlasError
from archatlas.images.augmentation import augment
from archatlas.images.parameters import AugmentationParameters


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def shifted(image: torch.Tensor, dy: int, dx: int) -> torch.Tensor:
    """The rule of the docstring, pixel by pixel: out[i, j] = in[i + dy, j + dx], zero outside."""
    _, height, width = image.shape
    result = torch.zeros_like(image)
    for i in range(height):
        for j in range(width):
            if 0 <= i + dy < height and 0 <= j + dx < width:
                result[:, i, j] = image[:, i + dy, j + dx]
    return result


def test_nothing_asked_changes_nothing():
    images = torch.rand(3, 1, 4, 4)
    assert augment(images, AugmentationParameters(shift=0), generator()) is images


def test_flip_mirrors_about_half_of_the_images():
    images = torch.rand(400, 2, 3, 5)
    result = augment(images, AugmentationParameters(flip=True, shift=0), generator())
    flipped = (result == images.flip(3)).flatten(1).all(1)
    assert (flipped ^ (result == images).flatten(1).all(1)).all()
    assert 160 < flipped.sum() < 240


def test_shift_is_one_of_the_offsets_and_takes_all_of_them():
    image = torch.rand(2, 4, 5) + 1
    result = augment(image.expand(300, -1, -1, -1), AugmentationParameters(shift=1), generator())
    expected = {(dy, dx): shifted(image, dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)}
    seen = [next(offset for offset, out in expected.items() if torch.equal(out, one)) for one in result]
    assert set(seen) == set(expected)
    assert max(seen.count(offset) for offset in expected) < 60  # 33 expected of each


def test_shift_and_flip_together_move_the_mirrored_image():
    image = torch.arange(1.0, 17.0).view(1, 4, 4)
    result = augment(image.expand(200, -1, -1, -1), AugmentationParameters(shift=1, flip=True), generator())
    offsets = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    expected = [shifted(one, *offset) for one in (image, image.flip(2)) for offset in offsets]
    seen = {next(k for k, out in enumerate(expected) if torch.equal(out, one)) for one in result}
    assert seen == set(range(18))


def test_cutout_is_one_square_with_its_centre_in_the_image():
    result = augment(torch.ones(500, 3, 8, 8), AugmentationParameters(shift=0, cutout=3), generator())
    gone = result[:, 0] == 0
    assert (result == result[:, :1]).all()
    rows, columns = gone.any(2).sum(1), gone.any(1).sum(1)
    assert torch.equal(gone.sum((1, 2)), rows * columns)
    assert set(rows.tolist()) == {2, 3}  # cut off by one at most: the centre is inside
    assert gone.any(0).all()


@settings(max_examples=20)
@given(st.booleans(), st.integers(0, 3), st.integers(0, 3), st.integers(0, 99))
def test_same_draws_in_both_memory_formats(flip: bool, shift: int, cutout: int, seed: int):
    parameters = AugmentationParameters(flip=flip, shift=shift, cutout=cutout)
    images = torch.rand(6, 3, 4, 5, generator=generator(seed))
    before = images.clone()
    usual = augment(images, parameters, generator(seed))
    last = augment(images.to(memory_format=torch.channels_last), parameters, generator(seed))
    assert torch.equal(usual, last)
    assert torch.equal(images, before)
    assert usual.is_contiguous()
    assert last.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(usual, augment(images, parameters, generator(seed)))


@pytest.mark.parametrize("name", ["shift", "cutout"])
def test_a_change_larger_than_the_image_is_refused(name: str):
    parameters = AugmentationParameters(**{"shift": 0, name: 8})
    with pytest.raises(ArchatlasError, match=f"augmentation.{name} is 8 pixels, but images are 8"):
        augment(torch.rand(2, 1, 8, 8), parameters, generator())


def test_half_precision_keeps_its_type():
    images = torch.rand(2, 1, 8, 8).bfloat16()
    assert augment(images, AugmentationParameters(shift=1, cutout=2), generator()).dtype == torch.bfloat16


def test_parameters_in_pixels_follow_the_size():
    scaled = AugmentationParameters(flip=True, shift=4, cutout=10).scaled(0.75)
    assert scaled == AugmentationParameters(flip=True, shift=3, cutout=8)
    # What is asked for is never rounded away, and what is not is not made up.
    assert AugmentationParameters(shift=1, cutout=0).scaled(0.25) == AugmentationParameters(shift=1, cutout=0)


def pixels(count: int = 6, channels: int = 3, side: int = 8) -> torch.Tensor:
    return torch.rand(count, channels, side, side, generator=torch.Generator().manual_seed(0))


def changed(images: torch.Tensor, seed: int = 0, **what: float) -> torch.Tensor:
    parameters = AugmentationParameters.model_validate({"shift": 0, **what})
    return augment(images, parameters, torch.Generator().manual_seed(seed))


def test_a_zoomed_blank_image_is_blank_but_for_its_rim() -> None:
    seen = changed(torch.full((200, 1, 8, 8), 3.0), zoom=0.5)
    # Windows are at most 7/6 as wide as the image: that leaves a rim of .57 pixels, and one more for interpolation.
    torch.testing.assert_close(seen[:, :, 2:-2, 2:-2], torch.full((200, 1, 4, 4), 3.0))
    narrowed = (seen - 3).abs().amax(dim=(1, 2, 3)) < 1e-5
    assert 0.4 < float(narrowed.float().mean()) < math.log(2) / math.log(7 / 3)
    assert float(seen.min()) >= 0


def test_a_turn_by_a_right_angle_moves_pixels_only() -> None:
    images = pixels(1)

    def largest(low: float, high: float, count: int, generator: torch.Generator) -> torch.Tensor:
        return torch.full((count,), high)

    with mock.patch("archatlas.images.augmentation._uniform", largest):
        turned = changed(images, rotate=90)
    torch.testing.assert_close(turned, torch.rot90(images, 1, (2, 3)), atol=1e-4, rtol=0)


def test_colour_keeps_the_order_of_grey_values_and_its_bounds() -> None:
    images = pixels(50, channels=1)
    seen = changed(images, colour=0.2)
    for before, after in zip(images, seen, strict=True):
        assert torch.equal(before.flatten().argsort(), after.flatten().argsort())
    assert float((seen - images).abs().max()) <= math.exp(0.2) - 1 + 0.2 + 1e-6


@pytest.mark.parametrize("what", [{"zoom": 0.4}, {"rotate": 20.0}, {"colour": 0.3}])
def test_the_same_draws_change_images_alike_whatever_their_layout(what: dict[str, float]) -> None:
    images = pixels()
    one = changed(images, **what)
    other = changed(images.contiguous(memory_format=torch.channels_last), **what)
    assert other.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(one, other.contiguous())
    assert not torch.equal(one, images)
    assert not torch.equal(one, changed(images, seed=1, **what))
