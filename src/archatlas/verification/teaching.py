"""Who teaches a winner while it is trained on: all contenders together, or the largest network of the space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from torch import Tensor

from archatlas.errors import ArchatlasError
from archatlas.spaces.protocol import SearchSpace, chains_of
from archatlas.supernet.strategies.extremes import extreme_paths
from archatlas.training.seeds import mixed_seed
from archatlas.training.weights import arrays_of
from archatlas.verification.parameters import FinishingParameters
from archatlas.verification.roles import FINISH
from archatlas.verification.trainings import FurtherTraining, TaughtTraining, TrainingJob, Trainings
from archatlas.verification.winners import best_first_of

Key = tuple[str, int]
"""A network by its name in tables, and which of its trainings."""

_TAUGHT = 1000
"""The number of an entrant's training with a teacher: none of those without has it, so that seeds differ."""


@dataclass(frozen=True)
class Run:
    """Trainings of one schedule that are done.

    Attributes:
        trainings: who made them.
        jobs: what was trained.
        table: ``TRAINING_COLUMNS``, a row per job, indexed by its key.
    """

    trainings: Trainings
    jobs: Mapping[Key, TrainingJob]
    table: pd.DataFrame

    @classmethod
    def of(cls, trainings: Trainings, jobs: Mapping[Key, TrainingJob], progress: str) -> Run:
        """Train the jobs."""
        table = trainings.run(list(jobs.values()), progress)
        return cls(trainings, jobs, table.set_axis(pd.Index(list(jobs), tupleize_cols=False)))

    def weights(self, key: Key) -> dict[str, Tensor]:
        """The weights that a training has given."""
        return self.trainings.weights(self.jobs[key])

    def diverged(self, key: Key) -> bool:
        """Whether a training came to nothing."""
        return self.trainings.diverged(self.jobs[key])

    def best(self, network: str) -> Key:
        """The best training of a network on the validation images."""
        key: Key = best_first_of(self.table[self.table["network"] == network]).index[0]
        return key


def taught(
    starts: Mapping[Key, TrainingJob],
    before: Run | None,
    trainings: Trainings,
    space: SearchSpace,
    parameters: FinishingParameters,
    seed: int,
) -> Run:
    """Train every entrant with teachers beside the labels: from its weights of ``before``, or from its start.

    The teachers are all entrants, of whatever budget and itself among them, as ``before`` has left them; or the largest
    network of the space, which is trained for it, for as many epochs as the others otherwise are. A teacher that sees
    larger images than the network is left out.

    Args:
        starts: a job for each training of an entrant, with its first weights.
        before: the entrants' trainings without a teacher; None where the largest network teaches.
        trainings: the schedule and the images.
        space: of the search.
        parameters: who teaches, how much and how long.
        seed: of the project.
    """
    pupils = {network: job for (network, number), job in starts.items() if number == 0}
    if before is None:
        lessons = _of_the_largest(pupils, trainings, space)
    else:
        keys = {network: before.best(network) for network in pupils}
        done = {network: _further(before.jobs[key], before.weights(key)) for network, key in keys.items()}
        lessons = {network: list(done.values()) for network in done}
        pupils = dict(done)
    jobs: dict[Key, TrainingJob] = {
        (network, _TAUGHT): TaughtTraining(
            pupil.space,
            pupil.network,
            mixed_seed(seed, FINISH, _TAUGHT) >> 32,
            network,
            arrays_of(pupil.build().state_dict()),
            tuple(teacher for teacher in lessons[network] if teacher.image_size <= pupil.image_size),
            parameters.teacher_share,
        )
        for network, pupil in pupils.items()
    }
    epochs = parameters.taught_epochs
    warmup = min(trainings.training.warmup_epochs, epochs / 8)
    schedule = trainings.training.model_copy(update={"epochs": epochs, "warmup_epochs": warmup})
    return Run.of(replace(trainings, training=schedule), jobs, "winners, taught")


def _of_the_largest(
    pupils: Mapping[str, TrainingJob], trainings: Trainings, space: SearchSpace
) -> dict[str, list[FurtherTraining]]:
    """For each pupil the largest network of the space that sees images as large as it does, trained."""
    largest = {network: largest_network(space, pupil.image_size, pupil.seed) for network, pupil in pupils.items()}
    trainings.run(list({job.key: job for job in largest.values()}.values()), "teachers")
    return {network: [_further(job, trainings.weights(job))] for network, job in largest.items()}


def largest_network(space: SearchSpace, image_size: int, seed: int) -> TrainingJob:
    """The training of the largest network of a space of chains, of those that see images of this size.

    Raises:
        ArchatlasError: the space is no chain.
    """
    chains = [chain for chain in chains_of(space).values() if chain.input_shape[-1] == image_size]
    if not chains:
        raise ArchatlasError(
            f"`finishing.teacher` is largest, but {space.name} is no chain of blocks, of which one network is the "
            "largest: take contenders or none"
        )
    path, _ = extreme_paths(chains[-1], "`finishing.teacher`", "take contenders or none")
    row = chains[-1].canonicalise(np.array([path], dtype=np.int8))
    return TrainingJob(chains[-1], str(chains[-1].names(row)[0]), seed)


def _further(job: TrainingJob, weights: Mapping[str, Tensor]) -> FurtherTraining:
    return FurtherTraining(job.space, job.network, job.seed, job.label, arrays_of(weights))
