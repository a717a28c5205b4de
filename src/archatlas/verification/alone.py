"""Networks of tables, by name and role, trained alone on the project's images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from archatlas.images.dataset import ImageSplit
from archatlas.images.description import ImageDescription
from archatlas.spaces.protocol import SearchSpace
from archatlas.storage.work_store import WorkStore
from archatlas.training.parameters import DeviceParameters
from archatlas.training.seeds import mixed_seed
from archatlas.verification.members import member_of
from archatlas.verification.parameters import VerificationParameters
from archatlas.verification.roles import ROLE_COLUMNS, ROLE_TYPES, TRAIN
from archatlas.verification.trainings import TrainingJob, Trainings


def alone(
    train_images: Mapping[str, Any],
    validation_images: Mapping[str, Any],
    image_description: Mapping[str, Any],
    parameters: VerificationParameters,
    device: DeviceParameters,
    work: WorkStore,
    *,
    keep_weights: bool = True,
) -> Trainings:
    """The trainings of one schedule on the project's images, kept in a work store."""
    return Trainings(
        ImageSplit.from_tensors(train_images),
        ImageSplit.from_tensors(validation_images),
        ImageDescription.model_validate(image_description),
        parameters.training,
        parameters.augmentation,
        device,
        work,
        keep_weights,
    )


def training_seeds(seed: int, count: int, role: int = TRAIN) -> list[int]:
    """The seeds of the trainings of one network: different for every ``seed`` of the project, and for every role."""
    return [mixed_seed(seed, role, number) >> 32 for number in range(count)]


def job_of(space: SearchSpace, network: str, seed: int) -> TrainingJob:
    """The training of a network by its name in tables (``members.member_of``)."""
    member = member_of(space, network)
    return TrainingJob(member.space, member.network, seed, network)


def train_roles(
    trainings: Trainings,
    networks: pd.DataFrame,
    space: SearchSpace,
    seeds: int,
    seed: int,
    progress: str,
    also: Sequence[str] = (),
) -> pd.DataFrame:
    """Train each network of a table (role, budget, network, macs, params) from ``seeds`` seeds: ``ROLE_COLUMNS``.

    ``also`` names columns of ``trainings.TRAINING_COLUMNS`` to have beside them.
    """
    rows = networks.loc[networks.index.repeat(seeds)].reset_index(drop=True)
    rows["seed"] = training_seeds(seed, seeds) * len(networks)
    jobs = [job_of(space, network, one) for network, one in zip(rows["network"], rows["seed"], strict=True)]
    done = trainings.run(jobs, progress)
    rows["validation_accuracy"], rows["validation_log_loss"] = done["validation_accuracy"], done["validation_log_loss"]
    rows["test_accuracy"] = np.nan
    return rows[ROLE_COLUMNS].astype(ROLE_TYPES).join(done[list(also)])
