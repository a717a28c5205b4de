"""What an epoch is: images of a step, seconds that it takes, and how many epochs make sense."""

from __future__ import annotations

import math
from collections.abc import Mapping

from archatlas.schedule.facts import Facts
from archatlas.schedule.pace import Pace
from archatlas.training.parameters import FEWEST_OF_A_STEP

MOST_EPOCHS, _MOST_STEPS = 300, 15_000
"""Of finishing: more than so many passes over the images and steps gain nothing that a user would see."""
LIKED_BATCH, _LEAST_BATCH, _LIKED_STEPS = 64, 8, 16
"""Images of a step, fewer where an epoch would have less than so many steps."""
LOOP = 1.12
"""A step of a training against one of the pace's: augmentation, and what else runs on a machine."""
_TRAINED_TO_LIMIT = 0.9
"""MACs of what keeps a budget, as a share of its limit."""


def batch_size(images: int) -> int:
    """Images of a step: a power of two, of which an epoch has some ``_LIKED_STEPS``, within the bounds above."""
    return min(max(with_liked_steps(images), _LEAST_BATCH), LIKED_BATCH)


def with_liked_steps(images: int) -> int:
    return 1 << int(math.log2(max(images / _LIKED_STEPS, 1)))


def images_of_a_training(facts: Facts) -> dict[str, int]:
    """``batch_size`` where there are few images, as devices can share it, and ``images_per_epoch`` where many.

    Else nothing, and they are as configured.
    """
    images = {} if facts.images_per_epoch is None else {"images_per_epoch": facts.images_per_epoch}
    liked = batch_size(facts.epoch)
    if liked >= LIKED_BATCH:
        return images
    return images | {"batch_size": max(liked - liked % facts.devices, FEWEST_OF_A_STEP * facts.devices)}


def most_epochs(epochs: int, steps: int, facts: Facts) -> int:
    """So many epochs, or what makes so many steps: few images are passed over more often."""
    of_an_epoch = max(facts.epoch // batch_size(facts.epoch), 1)
    return max(epochs, min(math.ceil(steps / of_an_epoch), 10_000))


def most_epochs_of_winners(facts: Facts) -> int:
    """Epochs beyond which training gains nothing that a user would see."""
    return most_epochs(MOST_EPOCHS, _MOST_STEPS, facts)


def epoch_seconds(macs: float, pace: Pace, images: int) -> float:
    """Seconds that one worker takes for one epoch of a network."""
    return images * pace.train(macs) * LOOP


def epochs_within(limits: Mapping[str, float], pace: Pace, images: int) -> list[float]:
    """The same of a network that keeps each budget."""
    return [epoch_seconds(_TRAINED_TO_LIMIT * limit, pace, images) for limit in limits.values()]
