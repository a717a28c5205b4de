"""Random changes of a whole batch at once, on the device where the batch is."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from archatlas.errors import ArchatlasError
from archatlas.images.parameters import AugmentationParameters


def augment(images: Tensor, parameters: AugmentationParameters, generator: torch.Generator) -> Tensor:
    """Change each image of a batch at random; the draws of one image do not depend on another's.

    ``images`` is float [b, c, h, w], normalised, on any device; the result has the same shape, type, device and memory
    format, and is ``images`` itself where the parameters ask for nothing. ``generator`` is on the CPU, so that every
    device sees the same draws. In this order:

    - zoom and rotate: a window whose side is ``1 - zoom`` to ``1 + zoom / 3`` of the image's (uniform in its
      logarithm), turned and anywhere inside the image that it fits, is brought to the image's size, bilinearly; zero
      where it reaches beyond (after the random resized crop of Szegedy et al., CVPR 2015);
    - flip: mirrored left to right with probability 1/2;
    - shift: ``out[i, j] = in[i + dy, j + dx]`` with dy, dx uniform in -shift..shift, and zero (the mean colour of
      normalised images) where that is outside: the padded random crop of He et al. (CVPR 2016, section 4.2);
    - cutout: a square of zeros around a uniform centre pixel, cut off at the border (DeVries and Taylor 2017,
      arXiv 1708.04552, section 3);
    - colour: normalised values times ``exp(u)``, plus ``v``, with u, v uniform in -colour..colour, and RGB drawn
      towards or away from its grey by a factor of 1 - colour to 1 + colour.

    `ArchatlasError` if the shift or the cutout could hide a whole image.
    """
    _check_sizes(parameters, min(images.shape[2:]))
    if parameters.zoom or parameters.rotate:
        images = _zoomed(images, parameters.zoom, math.radians(parameters.rotate), generator)
    images = _moved(images, parameters, generator)
    return _coloured(images, parameters.colour, generator) if parameters.colour else images


def _moved(images: Tensor, parameters: AugmentationParameters, generator: torch.Generator) -> Tensor:
    """Flip, shift and cutout."""
    if not (parameters.flip or parameters.shift or parameters.cutout):
        return images
    count, _, height, width = images.shape
    device = images.device
    rows = torch.arange(height, device=device).expand(count, height)
    columns = torch.arange(width, device=device).expand(count, width)
    kept: Tensor | None = None
    if parameters.cutout:
        kept = ~_square(rows, columns, parameters.cutout, generator)
    source_rows, source_columns = rows, columns
    if parameters.shift:
        source_rows = rows + _integers(-parameters.shift, parameters.shift, count, generator, device)
        source_columns = columns + _integers(-parameters.shift, parameters.shift, count, generator, device)
        inside = _outer(_within(source_rows, height), _within(source_columns, width))
        kept = inside if kept is None else kept & inside
        source_rows, source_columns = source_rows.clamp(0, height - 1), source_columns.clamp(0, width - 1)
    if parameters.flip:
        flipped = _integers(0, 1, count, generator, device).bool()
        source_columns = torch.where(flipped, width - 1 - source_columns, source_columns)
    moved = _pick(images, source_rows, source_columns) if parameters.shift or parameters.flip else images
    return moved if kept is None else moved * kept.unsqueeze(1)


def _zoomed(images: Tensor, zoom: float, angle: float, generator: torch.Generator) -> Tensor:
    count, device = len(images), images.device
    side = torch.exp(_uniform(math.log(1 - zoom), math.log(1 + zoom / 3), count, generator))
    turned = _uniform(-angle, angle, count, generator)
    room = (1 - side).clamp(min=0)
    across, down = (room * _uniform(-1.0, 1.0, count, generator) for _ in range(2))
    cosine, sine = side * torch.cos(turned), side * torch.sin(turned)
    rows = (torch.stack([cosine, -sine, across], dim=1), torch.stack([sine, cosine, down], dim=1))
    grid = functional.affine_grid(torch.stack(rows, dim=1).to(device), list(images.shape), align_corners=False)
    seen = functional.grid_sample(images, grid.to(images.dtype), align_corners=False)
    channels_last = images.is_contiguous(memory_format=torch.channels_last) and not images.is_contiguous()
    return seen.contiguous(memory_format=torch.channels_last) if channels_last else seen


def _coloured(images: Tensor, colour: float, generator: torch.Generator) -> Tensor:
    count = len(images)
    contrast, brightness, saturation = (
        _uniform(-colour, colour, count, generator).view(-1, 1, 1, 1).to(images.device, images.dtype) for _ in range(3)
    )
    changed = torch.addcmul(brightness, images, contrast.exp())
    if images.shape[1] != 3:
        return changed
    return torch.lerp(changed.mean(dim=1, keepdim=True), changed, 1 + saturation)


def _uniform(low: float, high: float, count: int, generator: torch.Generator) -> Tensor:
    """Uniform numbers in low..high, float32 [count], on the CPU."""
    return low + (high - low) * torch.rand(count, generator=generator)


def _check_sizes(parameters: AugmentationParameters, side: int) -> None:
    for name, value in (("shift", parameters.shift), ("cutout", parameters.cutout)):
        if value >= side:
            raise ArchatlasError(
                f"augmentation.{name} is {value} pixels, but images are {side} pixels wide: it must be smaller"
            )


def _integers(low: int, high: int, count: int, generator: torch.Generator, device: torch.device) -> Tensor:
    """Uniform integers low..high, int64 [count, 1]."""
    return torch.randint(low, high + 1, (count, 1), generator=generator).to(device)


def _within(index: Tensor, size: int) -> Tensor:
    return (index >= 0) & (index < size)


def _outer(rows: Tensor, columns: Tensor) -> Tensor:
    """Both hold: bool [b, h] and bool [b, w] to bool [b, h, w]."""
    return rows.unsqueeze(2) & columns.unsqueeze(1)


def _square(rows: Tensor, columns: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """The pixels of a square around a random centre of each image, bool [b, h, w]."""
    count, height, width = len(rows), rows.shape[1], columns.shape[1]
    top = _integers(0, height - 1, count, generator, rows.device) - side // 2
    left = _integers(0, width - 1, count, generator, rows.device) - side // 2
    return _outer(_within(rows - top, side), _within(columns - left, side))


def _pick(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """``out[b, c, i, j] = images[b, c, rows[b, i], columns[b, j]]`` in the memory format of ``images``."""
    count, channels, height, width = images.shape
    index = (rows.unsqueeze(2) * width + columns.unsqueeze(1)).view(count, 1, height * width)
    if images.is_contiguous(memory_format=torch.channels_last) and not images.is_contiguous():
        pixels = images.permute(0, 2, 3, 1).reshape(count, height * width, channels)
        picked = pixels.gather(1, index.view(count, -1, 1).expand(-1, -1, channels))
        return picked.view(count, height, width, channels).permute(0, 3, 1, 2)
    picked = images.reshape(count, channels, height * width).gather(2, index.expand(-1, channels, -1))
    return picked.view(count, channels, height, width)
