"""Networks trained alone, from scratch: many at a time on a CPU, one by one on a GPU, each kept once it is done."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from archatlas.images.dataset import ImageSplit
from archatlas.images.description import ImageDescription
from archatlas.images.parameters import AugmentationParameters
from archatlas.networks.blocks import initialise
from archatlas.spaces.protocol import SearchSpace
from archatlas.storage.work_store import WorkStore, fingerprint
from archatlas.training.checkpoint import package_version
from archatlas.training.evaluate import accuracy_and_log_loss, logits_of
from archatlas.training.fabric import threads_restored, torch_device
from archatlas.training.loop import train
from archatlas.training.parameters import DeviceParameters, TrainingParameters

TRAINING_COLUMNS = ["network", "seed", "validation_accuracy", "validation_log_loss"]


@dataclass(frozen=True)
class TrainingJob:
    """One network of one space, to be trained alone from one seed.

    ``label`` is what tables call the network, where that is not its name in the space.
    """

    space: SearchSpace
    network: str
    seed: int
    label: str = ""

    @property
    def key(self) -> str:
        """What the training is kept under: the same for every spelling of the space's parameters and in every run."""
        return fingerprint(repr(self.space), self.network, self.seed)

    def build(self) -> nn.Module:
        """The network with weights drawn from the seed."""
        network = self.space.build(self.space.parse([self.network])[0])
        initialise(network, torch.Generator().manual_seed(self.seed))
        return network


@dataclass(frozen=True)
class Trainings:
    """The trainings of one schedule on one data set: done in parallel, kept in a work store, looked up if done before.

    On a CPU each training has a process of ``workers`` (None: as many as CPU cores) and one thread, so that results do
    not depend on how many there are. On a GPU they follow one another. ``keep_weights`` keeps the weights as well.
    """

    train: ImageSplit
    validation: ImageSplit
    description: ImageDescription
    training: TrainingParameters
    augmentation: AugmentationParameters
    device: DeviceParameters
    work: WorkStore
    workers: int | None = None
    keep_weights: bool = True

    def run(self, jobs: Sequence[TrainingJob], progress: str = "train alone") -> pd.DataFrame:
        """Train what is not done yet; a row per job in their order: ``TRAINING_COLUMNS``.

        Each finished training is saved at once (weights, then its figures), so that a killed run repeats only what was
        under way.
        """
        from tqdm import tqdm

        store = self._store
        waiting = {job.key: job for job in jobs if not self._is_done(store, job)}
        with tqdm(total=len(waiting), desc=progress, unit="network", disable=None if waiting else True) as bar:
            for _ in self._trained(list(waiting.values()), store):
                bar.update()
        rows = []
        for job in jobs:
            figures = store.load_json(job.key) or {}
            rows.append((job.label or job.network, job.seed, figures["accuracy"], figures["log_loss"]))
        return pd.DataFrame(rows, columns=TRAINING_COLUMNS).astype(
            {"network": "str", "seed": "int64", "validation_accuracy": "float64", "validation_log_loss": "float64"}
        )

    def weights(self, job: TrainingJob) -> dict[str, Tensor]:
        """The trained weights of a job, which is trained first if it was not."""
        self.run([job])
        return self._store.load_tensors(job.key) or {}

    def test(self, job: TrainingJob, images: ImageSplit) -> tuple[float, NDArray[np.float64]]:
        """Accuracy of a trained network on images, and its recall of each class (NaN of a class without images)."""
        network = job.build()
        network.load_state_dict(self.weights(job))
        right = logits_of(network, images, self.description, device=self.device).argmax(dim=1) == images.labels
        classes = self.description.num_classes
        seen = np.bincount(images.labels.numpy(), minlength=classes)
        found = np.bincount(images.labels.numpy(), weights=right.numpy(), minlength=classes)
        with np.errstate(invalid="ignore"):
            return float(right.double().mean()), found / seen

    @cached_property
    def _store(self) -> WorkStore:
        data = (self.train.to_tensors(), self.validation.to_tensors(), self.description)
        setting = (self.training, self.augmentation, self._device())
        return self.work.task("trainings", package_version(), *setting, *data)

    def _is_done(self, store: WorkStore, job: TrainingJob) -> bool:
        weights = store.folder / f"{job.key}.safetensors"
        return store.load_json(job.key) is not None and (weights.exists() or not self.keep_weights)

    def _device(self) -> DeviceParameters:
        """The device of each training; on a CPU a single thread, whose result no other setting of threads changes.

        Channels-last there: forward and backward of small MBConv networks take about half the time so.
        """
        if torch_device(self.device).type != "cpu":
            return self.device
        alone = {"accelerator": "cpu", "devices": 1, "threads": 1, "channels_last": True}
        return self.device.model_copy(update=alone)

    def _trained(self, jobs: Sequence[TrainingJob], store: WorkStore) -> Iterator[str]:
        device = self._device()
        train, validation = ((part.images.numpy(), part.labels.numpy()) for part in (self.train, self.validation))
        setting = _Setting(self.description, self.training, self.augmentation, device, self.keep_weights)
        if not jobs:
            return
        if torch_device(device).type != "cpu":
            for job in jobs:
                yield _train_one(job, train, validation, setting, store)
            return
        import joblib

        workers = min(self.workers or os.cpu_count() or 1, len(jobs))
        # A single worker is no process of its own: this one then trains on one thread, and has its threads back after.
        with threads_restored(), joblib.parallel_config(backend="loky", inner_max_num_threads=1):
            parallel = joblib.Parallel(n_jobs=workers, return_as="generator_unordered", batch_size=1)
            yield from parallel(joblib.delayed(_train_one)(job, train, validation, setting, store) for job in jobs)


_Arrays = tuple[NDArray[np.uint8], NDArray[np.int64]]
"""Images and labels of a split: as arrays, joblib hands large ones to its workers through shared memory."""


@dataclass(frozen=True)
class _Setting:
    description: ImageDescription
    training: TrainingParameters
    augmentation: AugmentationParameters
    device: DeviceParameters
    keep_weights: bool


def _train_one(
    job: TrainingJob, train_images: _Arrays, validation_images: _Arrays, setting: _Setting, store: WorkStore
) -> str:
    """Train, judge on the validation images, save; runs in a worker on a CPU."""
    network = job.build()
    train(
        network,
        _split(train_images),
        setting.description,
        training=setting.training,
        augmentation=setting.augmentation,
        device=setting.device,
        seed=job.seed,
    )
    validation = _split(validation_images)
    logits = logits_of(network, validation, setting.description, device=setting.device)
    accuracy, log_loss = accuracy_and_log_loss(logits, validation.labels)
    if setting.keep_weights:
        store.save_tensors(job.key, network.state_dict())
    # The figures last: where they are, the training is done.
    store.save_json(job.key, {"network": job.network, "seed": job.seed, "accuracy": accuracy, "log_loss": log_loss})
    return job.key


def _split(arrays: _Arrays) -> ImageSplit:
    images, labels = arrays
    with warnings.catch_warnings():
        # Shared memory is read-only, and so is what is done with it.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return ImageSplit(torch.from_numpy(images), torch.from_numpy(labels))
