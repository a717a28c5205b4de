"""How fast a space's networks train and answer here, found out in a second or two: to announce a run as configured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from archatlas.pipelines.parameters import ProjectParameters

if TYPE_CHECKING:
    from archatlas.spaces.protocol import SearchSpace

_SECONDS = 0.6


@dataclass(frozen=True)
class Pace:
    """Seconds of a training step (a batch forward and backward), and of a forward pass of one image."""

    step: float
    image: float


def measure_pace(space: SearchSpace, settings: ProjectParameters, images: int, networks: int = 3) -> Pace:
    """The mean over a few random networks, at the run's own batch size or as many images as there are."""
    import numpy as np

    from archatlas.schedule.pace import seconds_per_image
    from archatlas.spaces.protocol import draw_at_most

    batch = settings.supernet.training.batch_size
    rows = draw_at_most(space, networks, np.random.default_rng(0))
    given = ([(space, row) for row in rows], settings.device, max(min(batch, images), 2), settings.evaluation.precision)
    train, answer = seconds_per_image(0, *given, seconds=_SECONDS, threads=None).mean(axis=0)
    return Pace(float(train) * batch, float(answer))
