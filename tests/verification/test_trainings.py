from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
import torch
from safetensors.torch import save_file

from archatlas import progress
from archatlas.errors import ArchatlasError
from archatlas.images import dataset
from archatlas.images.dataset import ImageSplit
from archatlas.images.description import ImageDescription
from archatlas.images.parameters import AugmentationParameters
from archatlas.spaces.parameters import SpaceParameters
from archatlas.spaces.presets import make_space
from archatlas.storage.work_store import WorkStore
from archatlas.training import loop
from archatlas.training.checkpoint import load_checkpoint
from archatlas.training.evaluate import logits_of
from archatlas.training.fabric import single_device
from archatlas.training.parameters import DeviceParameters, TrainingParameters
from archatlas.verification.trainings import TRAINING_COLUMNS, TrainingJob, Trainings

SPACE = make_space(
    SpaceParameters.model_validate({"stem_width": 4, "stages": [{"width": 4, "depth": 2, "stride": 2}]}), (1, 8, 8), 3
)
NAMES = SPACE.names(SPACE.sample(3, np.random.default_rng(0))).tolist()
JOBS = [TrainingJob(SPACE, name, seed) for name in NAMES for seed in (0, 1)]


def split(count: int, seed: int) -> ImageSplit:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 3
    images = torch.randint(0, 60, (count, 1, 8, 8), generator=generator, dtype=torch.uint8)
    images[torch.arange(count), :, 2 * labels] += 150  # the class is the bright row
    return ImageSplit(images, labels)


def trainings(folder: Path, workers: int, **changed: object) -> Trainings:
    description = ImageDescription(
        class_names=("a", "b", "c"), channels=1, image_size=8, mean=(0.2,), std=(0.2,), splits={}, source="made"
    )
    fields = {
        "training": TrainingParameters(epochs=2, batch_size=16),
        "augmentation": AugmentationParameters(shift=0),
        "device": DeviceParameters(accelerator="cpu", workers=workers),
        **changed,
    }
    return Trainings(split(96, 0), split(48, 1), description, work=WorkStore(folder), **fields)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Trainings, pd.DataFrame]:
    made = trainings(tmp_path_factory.mktemp("two"), 2)
    return made, made.run(JOBS)


def test_one_worker_and_two_give_the_same(two_workers: tuple[Trainings, pd.DataFrame], tmp_path: Path) -> None:
    made, table = two_workers
    alone = trainings(tmp_path, 1)
    pd.testing.assert_frame_equal(alone.run(JOBS[::-1])[::-1].reset_index(drop=True), table)
    for name, tensor in made.weights(JOBS[0]).items():
        assert torch.equal(tensor, alone.weights(JOBS[0])[name])


def test_processes_that_share_each_step_give_the_same_wherever_they_are_started(
    two_workers: tuple[Trainings, pd.DataFrame], tmp_path: Path
) -> None:
    in_workers, here = trainings(tmp_path / "workers", 4, processes=2), trainings(tmp_path / "here", 3, processes=2)
    table = in_workers.run(JOBS[:2])
    pd.testing.assert_frame_equal(here.run(JOBS[:1]), table.iloc[:1])
    assert table["validation_log_loss"][0] != two_workers[1]["validation_log_loss"][0], "each has batch norm of its own"
    assert table["validation_log_loss"].nunique() == 2


def test_trainings_that_processes_share_read_one_file_of_each_split_and_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []

    def counting(tensors: dict[str, torch.Tensor], file: Path) -> None:
        written.append(f"{file.name} {len(tensors['labels'])} images of {tensors['images'].shape[-1]}")
        save_file(tensors, file)

    monkeypatch.setattr(dataset, "save_file", counting)
    smaller = make_space(
        SpaceParameters.model_validate({"stem_width": 4, "stages": [{"width": 4, "depth": 1, "stride": 2}]}),
        (1, 4, 4), 3,
    )  # fmt: skip
    small = TrainingJob(smaller, str(smaller.names(smaller.sample(1, np.random.default_rng(0)))[0]), 0)
    made = trainings(tmp_path, 2, processes=2, training=TrainingParameters(epochs=1, batch_size=32))
    table = made.run([*JOBS[:2], small])
    assert sorted(written) == [
        "train_4 96 images of 4", "train_8 96 images of 8",
        "validation_4 48 images of 4", "validation_8 48 images of 8",
    ]  # fmt: skip
    assert table["validation_log_loss"].nunique() == 3


@pytest.mark.parametrize("terminal", [False, True])
def test_without_a_terminal_each_training_tells_how_far_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, terminal: bool
) -> None:
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    monkeypatch.setattr("archatlas.verification.trainings.on_terminal", lambda: terminal)
    with caplog.at_level(logging.INFO, "archatlas.progress"):
        trainings(tmp_path, 1).run(JOBS[:2], "finalists")
    said = [line.partition(" (")[0] for line in caplog.messages]
    each = {f"finalists, {number} of 2: {step} of 12 steps" for number in (1, 2) for step in range(1, 13)}
    both = ["finalists: 1 of 2 networks", "finalists: 2 of 2 networks"]
    assert [line for line in said if line in both] == both
    assert set(said) - set(both) == (set() if terminal else each)


def test_the_table_has_a_row_per_job_and_networks_learn(two_workers: tuple[Trainings, pd.DataFrame]) -> None:
    table = two_workers[1]
    assert table.columns.tolist() == TRAINING_COLUMNS
    assert table["network"].tolist() == [job.network for job in JOBS]
    assert table["seed"].tolist() == [0, 1] * 3
    assert table["validation_accuracy"].max() > 0.5
    assert table["validation_log_loss"].nunique() == len(JOBS)


def test_half_time_is_what_the_training_had_reached_then(tmp_path: Path) -> None:
    made = trainings(tmp_path, 1, training=TrainingParameters(epochs=3, batch_size=16))
    network = JOBS[0].build()
    curve = loop.train(
        network,
        made.train,
        made.description,
        training=made.training,
        augmentation=made.augmentation,
        device=single_device(made.device),
        seed=JOBS[0].seed,
        validation=made.validation,
    )
    (row,) = made.run(JOBS[:1]).to_dict("records")
    assert row["validation_accuracy_at_half"] == curve[0]["validation_accuracy"]
    assert row["validation_log_loss_at_half"] == curve[0]["validation_log_loss"]
    assert row["validation_log_loss"] == curve[2]["validation_log_loss"] != row["validation_log_loss_at_half"]


def test_a_single_epoch_has_no_half(tmp_path: Path) -> None:
    table = trainings(tmp_path, 1, training=TrainingParameters(epochs=1, batch_size=16)).run(JOBS[:1])
    assert table[["validation_accuracy_at_half", "validation_log_loss_at_half"]].isna().all(axis=None)
    assert table["validation_accuracy"].notna().all()


def test_a_killed_run_trains_only_what_is_missing(two_workers: tuple[Trainings, pd.DataFrame]) -> None:
    made, table = two_workers
    store = WorkStore(next(made.work.folder.glob(f"*/{JOBS[0].key}.safetensors")).parent)
    written = {path: path.stat().st_mtime_ns for path in store.folder.iterdir()}
    assert len(written) == 2 * len(JOBS)
    (store.folder / f"{JOBS[3].key}.json").unlink()
    pd.testing.assert_frame_equal(made.run(JOBS), table)
    again = {path for path in store.folder.iterdir() if path.stat().st_mtime_ns != written[path]}
    assert {path.stem for path in again} == {JOBS[3].key}


def test_other_settings_share_nothing(two_workers: tuple[Trainings, pd.DataFrame]) -> None:
    made = two_workers[0]
    longer = trainings(made.work.folder, 1, training=TrainingParameters(epochs=3, batch_size=16), keep_weights=False)
    other = longer.run(JOBS[:1])
    assert other["validation_log_loss"][0] != two_workers[1]["validation_log_loss"][0]
    assert len(list(made.work.folder.iterdir())) == 2
    assert len(list(made.work.folder.glob("*/*.safetensors"))) == len(JOBS)


def test_the_test_says_which_images_are_named_rightly(two_workers: tuple[Trainings, pd.DataFrame]) -> None:
    made, table = two_workers
    right = made.test(JOBS[0], made.validation)
    assert right.shape == (len(made.validation),)
    assert right.mean() == pytest.approx(table["validation_accuracy"][0])


def test_jobs_of_one_network_are_one_training() -> None:
    assert JOBS[0].key == TrainingJob(SPACE, NAMES[0], 0, label="another name").key
    assert len({job.key for job in JOBS}) == len(JOBS)


def test_no_jobs_are_an_empty_table(tmp_path: Path) -> None:
    table = trainings(tmp_path, 1).run([])
    assert table.columns.tolist() == TRAINING_COLUMNS
    assert table.empty


def test_damaged_weights_are_trained_again(two_workers: tuple[Trainings, pd.DataFrame], tmp_path: Path) -> None:
    made = trainings(tmp_path, 1)
    (table,) = made.run(JOBS[:1]).to_dict("records")
    (weights,) = tmp_path.glob(f"*/{JOBS[0].key}.safetensors")
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-100] + bytes([whole[-100] ^ 1]) + whole[-99:])
    assert made.run(JOBS[:1]).to_dict("records") == [table]
    assert weights.read_bytes() == whole


LONG = TrainingParameters(epochs=60, batch_size=16)


@contextmanager
def training_elsewhere(
    folder: Path, repository: Path, epochs: str, processes: int = 1, cores: int = 2
) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """A process of a group of its own, and those in which networks are being trained, each saved once.

    On two ``cores`` two networks; or fewer at a time, where so many ``processes`` share each training.
    """
    process = subprocess.Popen(
        [sys.executable, __file__, str(folder), epochs, str(processes), str(cores)],
        env=os.environ | {"PYTHONPATH": str(repository / "src")},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    workers: list[int] = []
    try:
        saved = "*/*.checkpoints/*/checkpoint.safetensors"
        wait_for(lambda: len(list(folder.glob(saved))) >= cores // processes, seconds=60)
        children = psutil.Process(process.pid).children(recursive=True)
        workers += [child.pid for child in children if "resource_tracker import main" not in " ".join(child.cmdline())]
        yield process, workers
    finally:
        for pid in (process.pid, *workers):
            if psutil.pid_exists(pid):
                os.kill(pid, signal.SIGKILL)
        process.communicate()


def wait_for(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize(("processes", "count"), [(1, 2), (2, 6)])
def test_an_interrupted_parent_ends_its_workers_which_say_nothing(
    tmp_path: Path, repository: Path, processes: int, count: int
) -> None:
    with training_elsewhere(tmp_path, repository, "10000", processes, 2 * processes) as (process, workers):
        assert len(workers) == count
        os.killpg(process.pid, signal.SIGINT)  # As a terminal does it.
        wait_for(lambda: not any(psutil.pid_exists(pid) for pid in workers), seconds=5)
        assert process.communicate(timeout=30)[1] == "interrupted\n"


def test_processes_that_share_a_training_die_with_a_killed_parent(tmp_path: Path, repository: Path) -> None:
    with training_elsewhere(tmp_path, repository, "10000", processes=2) as (process, workers):
        assert len(workers) == 2
        process.kill()
        wait_for(lambda: not any(psutil.pid_exists(pid) for pid in workers), seconds=5)


def test_workers_die_with_a_killed_parent_and_a_training_goes_on_from_its_last_epoch(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed, undisturbed = tmp_path / "killed", tmp_path / "undisturbed"
    with training_elsewhere(killed, repository, "60") as (process, workers):
        process.kill()
        assert len(workers) == 2
        wait_for(lambda: not any(psutil.pid_exists(pid) for pid in workers), seconds=5)
    made = trainings(killed, 1, training=LONG, checkpoint_seconds=0.0)
    saved = {job.key: [*killed.glob(f"*/{job.key}.checkpoints/*/checkpoint.safetensors")] for job in JOBS}
    job = next(job for job in JOBS if saved[job.key])
    checkpoint = load_checkpoint(WorkStore(saved[job.key][0].parent))
    assert checkpoint is not None
    finished = len(checkpoint.curve)
    assert 1 <= finished < 60
    epochs: list[int] = []
    save = loop.save_checkpoint
    monkeypatch.setattr(loop, "save_checkpoint", lambda store, c: (epochs.append(len(c.curve)), save(store, c)))
    figures = made.run([job])
    assert epochs == list(range(finished + 1, 61))
    assert not list(killed.glob(f"*/{job.key}.checkpoints"))
    expected = trainings(undisturbed, 1, training=LONG)
    pd.testing.assert_frame_equal(figures, expected.run([job]))
    for name, tensor in made.weights(job).items():
        assert torch.equal(tensor, expected.weights(job)[name])


def test_short_trainings_save_no_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[int] = []
    monkeypatch.setattr(loop, "save_checkpoint", lambda store, checkpoint: saved.append(len(checkpoint.curve)))
    trainings(tmp_path, 1).run(JOBS[:1])
    assert saved == []


def test_a_network_of_smaller_images_is_trained_as_where_they_are_prepared_so(tmp_path: Path) -> None:
    small = SPACE.seen_at(4)
    job = TrainingJob(small, NAMES[0], 3)
    augmentation = AugmentationParameters(shift=2)
    large = trainings(tmp_path / "large", 1, augmentation=augmentation)
    own = replace(
        trainings(tmp_path / "small", 1, augmentation=augmentation.scaled(0.5)),
        train=large.train.at(4),
        validation=large.validation.at(4),
        description=large.description.model_copy(update={"image_size": 4}),
    )
    pd.testing.assert_frame_equal(large.run([job]), own.run([job]))
    weights, same = large.weights(job), own.weights(job)
    assert all(torch.equal(weights[name], same[name]) for name in same)
    test = split(30, 2)
    assert (large.test(job, test) == own.test(job, test.at(4))).all()


@dataclass(frozen=True)
class Touchy(TrainingJob):
    """A network whose training diverges the first times that it is built."""

    built: list[int] = field(default_factory=list)
    diverges: int = 1

    def build(self) -> torch.nn.Module:
        network = super().build()
        self.built.append(1)
        if len(self.built) <= self.diverges:
            torch.nn.init.constant_(next(network.parameters()), float("nan"))
        return network


def test_a_training_that_diverges_is_repeated_slower_and_told_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = trainings(tmp_path, 1)
    done = made.run([Touchy(SPACE, NAMES[0], 0, "touchy"), JOBS[2]])
    assert done["validation_accuracy"].notna().all()
    assert "training diverged at `learning_rate` 0.1 and was repeated at 0.0333333: touchy" in caplog.text
    slower = trainings(tmp_path / "slower", 1, training=made.training.model_copy(update={"learning_rate": 0.1 / 3}))
    pd.testing.assert_frame_equal(
        done.drop(columns="network").iloc[:1], slower.run([JOBS[0]]).drop(columns="network").iloc[:1]
    )


def test_a_training_that_diverges_twice_counts_as_none_and_ends_nothing_but_where_all_do(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made, touchy = trainings(tmp_path, 1), Touchy(SPACE, NAMES[0], 0, "touchy", diverges=2)
    done = made.run([touchy, JOBS[2]], "audit")
    assert "audit: training diverged twice, at `learning_rate` 0.0333333 too: touchy. It counts as" in caplog.text
    untrained = JOBS[0].build()
    right = logits_of(untrained, made.validation, made.description, device=made.device).argmax(dim=1)
    assert done["validation_accuracy"][0] == pytest.approx((right == made.validation.labels).double().mean().item())
    # It is known now: neither is it trained again, nor does it end what asks for its weights.
    assert made.run([touchy, JOBS[2]]).equals(done)
    assert set(made.weights(touchy)) == set(untrained.state_dict())
    with pytest.raises(
        ArchatlasError, match=r"finalists: all 1 trainings diverged, at .* 0.1 and at 0.0333333 \(touchy"
    ):
        trainings(tmp_path / "never", 1).run([Touchy(SPACE, NAMES[1], 0, "touchy", diverges=2)], "finalists")


if __name__ == "__main__":
    schedule = TrainingParameters(epochs=int(sys.argv[2]), batch_size=16)
    try:
        processes, cores = int(sys.argv[3]), int(sys.argv[4])
        trainings(Path(sys.argv[1]), cores, training=schedule, processes=processes, checkpoint_seconds=0.0).run(JOBS)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
