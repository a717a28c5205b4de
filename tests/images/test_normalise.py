from __future__ import annotations

import pytest
import torch

from archatlas.errors import ArchatlasError
from archatlas.images.description import ImageDescription
from archatlas.images.normalise import normalise


def description(channels: int = 2) -> ImageDescription:
    return ImageDescription(
        class_names=("a", "b"),
        channels=channels,
        image_size=1,
        mean=(0.5, 0.2)[:channels],
        std=(0.25, 0.1)[:channels],
        splits={"train": 1},
        source="digits",
    )


def test_each_channel_is_centred_and_scaled():
    images = torch.tensor([[[[255]], [[51]]], [[[0]], [[0]]]], dtype=torch.uint8)
    result = normalise(images, description())
    torch.testing.assert_close(result.flatten(1), torch.tensor([[2.0, 0.0], [-2.0, -2.0]]))
    assert normalise(images, description(), torch.bfloat16).dtype == torch.bfloat16


def test_memory_format_is_kept():
    images = torch.randint(0, 256, (4, 2, 3, 3), dtype=torch.uint8).to(memory_format=torch.channels_last)
    result = normalise(images, description())
    assert result.is_contiguous(memory_format=torch.channels_last)


def test_other_channels_are_refused():
    with pytest.raises(ArchatlasError, match="images have 2 channels, but the description says 1"):
        normalise(torch.zeros(1, 2, 1, 1, dtype=torch.uint8), description(1))
