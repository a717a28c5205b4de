from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from archatlas.errors import ArchatlasError
from archatlas.images.dataset import ImageSplit
from archatlas.images.description import ImageDescription
from archatlas.images.parameters import AugmentationParameters
from archatlas.spaces.parameters import SpaceParameters
from archatlas.spaces.presets import make_space, preset
from archatlas.storage.work_store import WorkStore
from archatlas.training.parameters import DeviceParameters, TrainingParameters
from archatlas.verification.finishing import finish
from archatlas.verification.members import member_of
from archatlas.verification.parameters import FinishingParameters
from archatlas.verification.teaching import largest_network
from archatlas.verification.trainings import TaughtTraining, TrainingJob, Trainings

STAGES = [{"width": 16, "depth": 2, "stride": 2}]
SPACE = make_space(
    SpaceParameters.model_validate({"stem_width": 16, "stages": STAGES, "image_sizes": [4, 8], "widths": [0.5, 1]}),
    (1, 8, 8),
    3,
)
SMALL, LARGE = "r4_w0.5_k3e1-k1e1", "r8_w1_k3e1-skip"


def split(count: int, seed: int) -> ImageSplit:
    labels = torch.arange(count) % 3
    images = torch.randint(0, 60, (count, 1, 8, 8), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)
    images[torch.arange(count), :, 2 * labels] += 150  # the class is the bright row
    return ImageSplit(images, labels)


@pytest.fixture
def trainings(tmp_path: Path) -> Trainings:
    description = ImageDescription(
        class_names=("a", "b", "c"), channels=1, image_size=8, mean=(0.2,), std=(0.2,), splits={}, source="made"
    )
    return Trainings(
        split(96, 0), split(48, 1), description, TrainingParameters(epochs=2, batch_size=16),
        AugmentationParameters(shift=0), DeviceParameters(accelerator="cpu", workers=1), WorkStore(tmp_path),
    )  # fmt: skip


def job(name: str, seed: int = 0) -> TrainingJob:
    member = member_of(SPACE, name)
    return TrainingJob(member.space, member.network, seed, name)


def finished(trainings: Trainings, **parameters: Any) -> Any:
    figures = trainings.run([job(SMALL), job(LARGE)])
    documents = [
        {"status": "found", "architecture": name, "role": "candidate", "seeds": [0], "best_seed": 0}
        for name in (SMALL, LARGE)
    ]
    chosen = [{"budget": "all", **documents[0], "runners_up": [documents[1]]}]
    trained = {(name, 0): trainings.weights(job(name)) for name in (SMALL, LARGE)}
    made = FinishingParameters.model_validate({"contenders": 2, "taught_epochs": 3, **parameters})
    return finish(chosen, trained, figures, trainings, SPACE, made, 0)


def test_contenders_teach_one_another_once_they_are_trained_on(trainings: Trainings) -> None:
    (winner,), weights, table = finished(trainings, teacher="contenders")
    assert table["network"].tolist() == [SMALL, LARGE, SMALL, LARGE]
    assert table["seed"].nunique() == 2
    told = winner["finished"]
    assert (told["teacher"], told["taught_epochs"], told["epochs"]) == ("contenders", 3, 2)
    assert told["validation_accuracy"] == table["validation_accuracy"].max()
    best = member_of(SPACE, winner["architecture"]).build()
    best.load_state_dict(weights["all"])


def test_the_largest_network_of_the_size_teaches_and_contenders_are_not_trained_alone(trainings: Trainings) -> None:
    _, _, table = finished(trainings, teacher="largest")
    assert table["network"].tolist() == [SMALL, LARGE]
    teachers = [largest_network(SPACE, size, 5) for size in (4, 8)]
    assert {teacher.network for teacher in teachers} == {"k5e3-k5e3"}
    assert [teacher.image_size for teacher in teachers] == [4, 8]
    assert {teacher.space.stages[0].width for teacher in teachers} == {16}
    with pytest.raises(ArchatlasError, match=r"is no chain of blocks"):
        largest_network(preset("nas_bench_201", (3, 32, 32), 10), 32, 0)


def test_with_the_validation_images_what_came_last_is_kept(trainings: Trainings) -> None:
    (winner,), weights, table = finished(trainings, teacher="contenders", contenders=1, with_validation=True)
    assert table["network"].tolist() == [SMALL, SMALL]
    assert winner["finished"]["validation_accuracy"] is None
    assert table["validation_accuracy"].isna().all(), "images that were trained on say nothing"
    assert weights["all"].keys() == member_of(SPACE, SMALL).build().state_dict().keys()


def test_who_teaches_is_part_of_a_trainings_key(trainings: Trainings) -> None:
    first = {name: tensor.numpy() for name, tensor in trainings.weights(job(SMALL)).items()}
    fields = (*(getattr(job(SMALL), name) for name in ("space", "network", "seed", "label")), first)
    from_it = TaughtTraining(*fields)
    other = TaughtTraining(*fields, (from_it,), 0.5)
    keys = {from_it.key, other.key, TaughtTraining(*fields, (from_it,), 0.6).key}
    assert len(keys) == 3
    done = trainings.run([other])
    pd.testing.assert_frame_equal(done, trainings.run([other]))
