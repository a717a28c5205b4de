"""Fixtures that several folders of tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from archatlas.images.dataset import ImageSplit
from archatlas.images.description import ImageDescription
from archatlas.spaces.chain import ChainSpace
from archatlas.spaces.chain_parts import Operation, Stage

os.environ.setdefault("KEDRO_DISABLE_TELEMETRY", "1")

REPOSITORY = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def benchmark_data() -> Path:
    """The folder of public tables and CIFAR-10; skips the test where there is none."""
    folder = Path(os.environ.get("ARCHATLAS_BENCHMARK_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no benchmark data in {folder} (set ARCHATLAS_BENCHMARK_DATA)")
    return folder


@pytest.fixture
def space() -> ChainSpace:
    """A tiny chain: two stages of two positions."""
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
    """What is to be known of ``images``."""
    return ImageDescription(
        class_names=("top", "middle", "bottom"),
        channels=1,
        image_size=8,
        mean=(0.3,),
        std=(0.3,),
        splits={"train": 48},
        source="test",
    )
