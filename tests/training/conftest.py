from __future__ import annotations

import pytest
import torch

from archatlas.images.dataset import ImageSplit
from archatlas.images.description import ImageDescription
from archatlas.spaces.chain import ChainSpace, Operation, Stage


@pytest.fixture
def space() -> ChainSpace:
    return ChainSpace(
        name="tiny",
        input_shape=(1, 8, 8),
        num_classes=3,
        stem_width=4,
        stages=(Stage(4, 2, 1), Stage(6, 2, 2)),
        operations=tuple(Operation.parse(name) for name in ("k3e1", "k3e2", "skip")),
        head_width=8,
    )


@pytest.fixture
def images() -> ImageSplit:
    """Three classes told apart by which third of the image is bright."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(48) % 3
    pixels = torch.randint(0, 60, (48, 1, 8, 8), generator=generator, dtype=torch.uint8)
    for index, label in enumerate(labels.tolist()):
        pixels[index, :, 3 * label : 3 * label + 2] += 180
    return ImageSplit(pixels, labels)


@pytest.fixture
def description() -> ImageDescription:
    return ImageDescription(
        class_names=("top", "middle", "bottom"),
        channels=1,
        image_size=8,
        mean=(0.3,),
        std=(0.3,),
        splits={"train": 48},
        source="test",
    )
