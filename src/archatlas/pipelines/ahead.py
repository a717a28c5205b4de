"""What the plans of stages are made from: the parameters, what is known of the images, the space, and the pace.

A stage's plan is ``plan(ahead)`` in the module ``plan`` of its folder, which imports no heavy library at its top. Space
and pace are made when a plan first asks for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from archatlas.engines.engine import current_engine
from archatlas.images.description import ImageDescription
from archatlas.images.suitable_size import WITHOUT_BUDGET
from archatlas.pipelines.pace import Pace, measure_pace
from archatlas.pipelines.parameters import ProjectParameters

if TYPE_CHECKING:
    from archatlas.spaces.protocol import SearchSpace

SHARED_PREFIXES = 0.5
"""Share of blocks that remain when a sample is walked as a prefix tree."""
FIT_SECONDS = 2.5
"""Scoring all predictors once on 100 networks, and fitting the last one."""
_MANY = 100_000
"""Trainings, as many as anybody has workers for."""
ATLAS_PER_SECOND = 20_000
"""Networks predicted (benchmarks/map_space.py)."""


@dataclass(frozen=True)
class Plan:
    """What a stage will do, and about how many seconds it takes (None: not known before the images are read).

    ``processes`` train networks side by side, with the images in memory that they share; ``kept_mib`` are kept beside.
    """

    what: str
    seconds: float | None
    processes: int = 0
    kept_mib: int = 0


@dataclass(frozen=True)
class Ahead:
    """A run that lies ahead; ``description`` is None where the images are not known yet.

    ``audited``: whether something scores all networks, which can be audited.
    """

    settings: ProjectParameters
    description: ImageDescription | None
    audited: bool = True

    @property
    def train(self) -> int:
        """Training images."""
        return self.description.splits.get("train", 0) if self.description else 0

    @property
    def validation(self) -> int:
        """Validation images."""
        return self.description.splits.get("validation", 0) if self.description else 0

    @property
    def judged(self) -> int:
        """Images that pass through a subnet that is evaluated."""
        return self.settings.evaluation.calibration_images + self.validation

    @property
    def workers(self) -> int:
        """Networks that are trained alone at a time."""
        elsewhere = current_engine().shares(_MANY, threads=None if self.settings.engine.gpus_per_task else 1)
        if elsewhere:
            return elsewhere.workers
        from joblib import cpu_count

        return self.settings.device.workers or cpu_count()

    @property
    def looks_up(self) -> bool:
        """Whether networks trained alone are looked up in a public table."""
        return self.settings.table is not None or self.settings.truth is not None

    @property
    def side(self) -> int:
        """The side of prepared images, pixels; where it is left open, about what it will be."""
        return side_of(self.settings)

    @property
    def full_seeds(self) -> float:
        """Super-networks, each counted by its share of the pixels of the images as prepared."""
        net = self.settings.supernet
        return sum((net.image_size(number, self.side) / self.side) ** 2 for number in range(net.seeds))

    @cached_property
    def space(self) -> SearchSpace:
        """The space that is searched, for images of ten classes where they are not known."""
        from archatlas.spaces.presets import make_space

        shape = (self.settings.images.channels or 3, self.side, self.side)
        if self.description is None:
            return make_space(self.settings.space, shape, 10)
        return make_space(self.settings.space, self.description.input_shape, self.description.num_classes)

    @cached_property
    def pace(self) -> Pace | None:
        """How fast networks of the space are here; None where the images are not known."""
        return None if self.description is None else measure_pace(self.space, self.settings, self.train)


def side_of(settings: ProjectParameters) -> int:
    """The side of prepared images, pixels; where it is left open, about what it will be."""
    return settings.images.image_size or max(settings.space.searched_sizes or (WITHOUT_BUDGET,))
