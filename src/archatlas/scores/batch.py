"""The one batch that networks are scored on."""

from __future__ import annotations

import torch
from torch import Tensor

from archatlas.errors import ArchatlasError
from archatlas.images.dataset import ImageSplit
from archatlas.images.description import ImageDescription
from archatlas.images.normalise import normalise
from archatlas.scores.parameters import ScoreParameters
from archatlas.training.seeds import mixed_seed

_IMAGES, _LABELS, _NOISE = range(3)


def draw_batch(
    train: ImageSplit | None,
    description: ImageDescription,
    parameters: ScoreParameters,
    seed: int,
    section: str = "scores",
) -> tuple[Tensor, Tensor]:
    """Images ``[batch, c, h, w]`` (float32, channels-last) and labels ``[batch]``, which follow from the seed.

    ``section`` is where the parameters are set, for messages.

    Raises:
        ArchatlasError: training images are asked for and there are none, or fewer than a batch.
    """
    count = parameters.batch
    if parameters.images == "gaussian":
        side = parameters.image_size or description.image_size
        return gaussian_batch((description.channels, side, side), description.num_classes, count, seed)
    if train is None or len(train) < count:
        raise ArchatlasError(
            f"`{section}.batch` asks for {count} training images, but there are {0 if train is None else len(train)}: "
            f"lower it, or set `{section}.images` to gaussian"
        )
    drawn = train.subset(torch.randperm(len(train), generator=_generator(seed, _IMAGES))[:count])
    images = normalise(drawn.at(parameters.image_size or description.image_size).images, description)
    labels = drawn.labels if parameters.labels == "given" else _random_labels(description.num_classes, count, seed)
    return images.contiguous(memory_format=torch.channels_last), labels


def gaussian_batch(input_shape: tuple[int, int, int], num_classes: int, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """The same of N(0, 1) values, with random labels: no image is needed."""
    noise = torch.randn(count, *input_shape, generator=_generator(seed, _NOISE))
    return noise.contiguous(memory_format=torch.channels_last), _random_labels(num_classes, count, seed)


def _random_labels(num_classes: int, count: int, seed: int) -> Tensor:
    return torch.randint(num_classes, (count,), generator=_generator(seed, _LABELS))


def _generator(seed: int, purpose: int) -> torch.Generator:
    return torch.Generator().manual_seed(mixed_seed(seed, purpose))
