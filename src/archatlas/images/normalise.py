"""Pixel values to what networks are fed."""

from __future__ import annotations

import torch
from torch import Tensor

from archatlas.errors import ArchatlasError
from archatlas.images.description import ImageDescription


def normalise(images: Tensor, description: ImageDescription, dtype: torch.dtype = torch.float32) -> Tensor:
    """``(pixel / 255 - mean) / std`` of each channel; computed in float32 and then brought to ``dtype``.

    ``images`` is uint8 [b, c, h, w] on any device; device and memory format are kept. `ArchatlasError` if the number of
    channels is not the description's.
    """
    if images.shape[1] != description.channels:
        raise ArchatlasError(
            f"images have {images.shape[1]} channels, but the description says {description.channels}: "
            "prepare them with the same parameters"
        )
    std = torch.tensor(description.std, dtype=torch.float32).view(1, -1, 1, 1)
    mean = torch.tensor(description.mean, dtype=torch.float32).view(1, -1, 1, 1)
    scale, offset = (1 / (255 * std)).to(images.device), (-mean / std).to(images.device)
    return torch.addcmul(offset, images.to(torch.float32), scale).to(dtype)
