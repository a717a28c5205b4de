"""The nodes that show a winner as the backbone of a detector."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from archatlas.detection.parameters import DetectionParameters
from archatlas.errors import ArchatlasError
from archatlas.pipelines.work import trainings_in, work_store
from archatlas.schedule.overlay import scheduled
from archatlas.spaces.tables.parameters import TableParameters
from archatlas.training.parameters import DeviceParameters
from archatlas.verification.parameters import VerificationParameters
from archatlas.verification.truth.parameters import TruthParameters

_LOGGER = logging.getLogger(__name__)


def make_scenes(
    train_images: dict[str, Any],
    validation_images: dict[str, Any],
    test_images: dict[str, Any],
    detection: DetectionParameters,
    seed: int,
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Scenes of each split, of this split's images alone."""
    from archatlas.detection import scenes
    from archatlas.images.dataset import ImageSplit
    from archatlas.training.seeds import mixed_seed

    asked = detection.scenes
    splits = ((train_images, asked.train), (validation_images, asked.judged), (test_images, asked.judged))
    first, second, third = (
        scenes.make_scenes(ImageSplit.from_tensors(images), count, asked, mixed_seed(seed, number)).to_tensors()
        for number, (images, count) in enumerate(splits)
    )
    return first, second, third


def choose_backbones(
    winners: list[dict[str, Any]],
    search_space: dict[str, Any],
    detection: DetectionParameters,
    table: TableParameters | None = None,
    truth: TruthParameters | None = None,
) -> pd.DataFrame:
    """A winner, and the MobileNet that is nearest to it in MACs."""
    from archatlas.detection.backbones import backbones
    from archatlas.detection.judging import require_coco
    from archatlas.spaces.search_space import read_space

    require_coco()
    if table is not None or truth is not None:
        raise ArchatlasError(
            "a detector needs a backbone that was trained, and with a public table none is: set `table` and `truth` to "
            "null"
        )
    return backbones(winners, read_space(search_space), detection.budget)


def train_detectors(
    detection_backbones: pd.DataFrame,
    train_scenes: dict[str, Any],
    train_images: dict[str, Any],
    validation_images: dict[str, Any],
    image_description: dict[str, Any],
    search_space: dict[str, Any],
    detection: DetectionParameters,
    verification: VerificationParameters,
    device: DeviceParameters,
    seed: int,
    work_folder: Path,
    verification_schedule: dict[str, Any] | None = None,
) -> dict[str, dict[str, Any]]:
    """The weights of the detectors, by role and number of the seed.

    All backbones begin as trained alike to classify, by the schedule that finalists are compared by, once for each
    seed: the winner's further training would favour it. So would the trainings that it was chosen by, which are lucky
    ones, and seeds are others.
    """
    verification = scheduled(verification, verification_schedule)
    from archatlas.detection.scenes import Scenes
    from archatlas.detection.training import DetectorJob, DetectorTrainings
    from archatlas.images.description import ImageDescription
    from archatlas.spaces.search_space import read_space
    from archatlas.training.weights import arrays_of
    from archatlas.verification.alone import alone, job_of, training_seeds
    from archatlas.verification.members import member_of
    from archatlas.verification.roles import DETECT

    space, images = read_space(search_space), (train_images, validation_images, image_description)
    classifiers = alone(*images, verification, device, trainings_in(work_folder))
    seeds = training_seeds(seed, detection.seeds, DETECT)
    asked = [(role, name, one) for role, name in _named(detection_backbones) for one in seeds]
    trained = [job_of(space, name, one) for _, name, one in asked]
    classifiers.run(trained, "backbones")
    jobs = [
        DetectorJob(member_of(space, name), arrays_of(classifiers.weights(job)), own)
        for (_, name, own), job in zip(asked, trained, strict=True)
    ]
    trainings = DetectorTrainings(
        Scenes.from_tensors(train_scenes),
        ImageDescription.model_validate(image_description),
        detection,
        device,
        work_store(work_folder, "archatlas.detection.training"),
    )
    weights = trainings.run(jobs)
    return {f"{role}_{seeds.index(one)}": own for (role, _, one), own in zip(asked, weights, strict=True)}


def judge_detectors(
    detectors: dict[str, Callable[[], dict[str, Any]]],
    detection_backbones: pd.DataFrame,
    validation_scenes: dict[str, Any],
    test_scenes: dict[str, Any],
    image_description: dict[str, Any],
    search_space: dict[str, Any],
    detection: DetectionParameters,
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """What each detector finds in scenes of validation and of test images, how precise it is, and a comparison."""
    from archatlas.detection.comparison import judged, lines_of
    from archatlas.detection.scenes import Scenes
    from archatlas.images.description import ImageDescription
    from archatlas.spaces.search_space import read_space

    found, scores, summary = judged(
        {key: load() for key, load in detectors.items()},
        detection_backbones,
        {"validation": Scenes.from_tensors(validation_scenes), "test": Scenes.from_tensors(test_scenes)},
        read_space(search_space),
        ImageDescription.model_validate(image_description),
        detection,
    )
    for line in lines_of(summary):
        _LOGGER.info(line)
    return found, scores, summary


def _named(backbones: pd.DataFrame) -> list[tuple[str, str]]:
    return list(zip(backbones["role"].tolist(), backbones["network"].tolist(), strict=True))
