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
    train: ImageSplit | None, description: ImageDescription, parameters: ScoreParameters, seed: int
) -> tuple[Tensor, Tensor]:
    """Images ``[batch, c, h, w]`` (float32, channels-last) and labels ``[batch]``, which follow from the seed.

    Raises:
        ArchatlasError: training images are asked for and there are none, or fewer than a batch.
    """
    count = parameters.batch
    random_labels = torch.randint(description.num_classes, (count,), generator=_generator(seed, _LABELS))
    if parameters.images == "gaussian":
        side = parameters.image_size or description.image_size
        noise = torch.randn(count, description.channels, side, side, generator=_generator(seed, _NOISE))
        return noise.contiguous(memory_format=torch.channels_last), random_labels
    if train is None or len(train) < count:
        raise ArchatlasError(
            f"`scores.batch` asks for {count} training images, but there are {0 if train is None else len(train)}: "
            "lower it, or set `scores.images` to gaussian"
        )
    drawn = train.subset(torch.randperm(len(train), generator=_generator(seed, _IMAGES))[:count])
    images = normalise(drawn.at(parameters.image_size or description.image_size).images, description)
    labels = drawn.labels if parameters.labels == "given" else random_labels
    return images.contiguous(memory_format=torch.channels_last), labels


def _generator(seed: int, purpose: int) -> torch.Generator:
    return torch.Generator().manual_seed(mixed_seed(seed, purpose))
