"""Networks trained alone, from scratch: many at a time on a CPU, one by one on a GPU, each kept once it is done."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from archatlas.engines.engine import Shares, side_by_side
from archatlas.errors import ArchatlasError
from archatlas.images.dataset import ImageSplit, SplitArrays
from archatlas.images.description import ImageDescription
from archatlas.images.parameters import AugmentationParameters
from archatlas.networks.blocks import initialise
from archatlas.networks.resized import Resized
from archatlas.progress import on_terminal, progress_bar
from archatlas.spaces.identity import identity_of
from archatlas.spaces.protocol import SearchSpace
from archatlas.storage.large_arrays import folder_for
from archatlas.storage.work_store import WorkStore, fingerprint
from archatlas.training.checkpoint import package_version
from archatlas.training.evaluate import accuracy_and_log_loss, logits_of
from archatlas.training.fabric import may_share_steps, single_device, single_shares, threads_restored
from archatlas.training.loop import DivergedError, Teaching, train
from archatlas.training.parameters import DeviceParameters, TrainingParameters
from archatlas.training.weights import arrays_of, tensors_of

HALF_TIME_COLUMNS = ["validation_accuracy_at_half", "validation_log_loss_at_half"]
"""What a training had reached after half of its epochs (rounded down; NaN of a single one)."""

TRAINING_COLUMNS = ["network", "seed", "validation_accuracy", "validation_log_loss", *HALF_TIME_COLUMNS]

_FIGURES = ("accuracy", "log_loss", "accuracy_at_half", "log_loss_at_half")
"""What is kept of a training, in the order of its columns; None where there is none."""


SLOWER = 1 / 3
"""A training that diverges is repeated once, at this part of its learning rate."""
_NEVER = 0.0
"""The learning rate of one that has diverged again."""

_log = logging.getLogger(__name__)


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
    def image_size(self) -> int:
        """Side of the images that the network sees, pixels."""
        return self.space.input_shape[-1]

    @property
    def key(self) -> str:
        """What the training is kept under: the same for every spelling of the space's parameters and in every run."""
        return fingerprint(identity_of(self.space), self.space.num_classes, self.network, self.seed)

    @property
    def teaching(self) -> Teaching | None:
        """Who teaches beside the labels; nobody."""
        return None

    def build(self) -> nn.Module:
        """The network with weights drawn from the seed."""
        network = self.space.build(self.space.parse([self.network])[0])
        initialise(network, torch.Generator().manual_seed(self.seed))
        return network


@dataclass(frozen=True)
class FurtherTraining(TrainingJob):
    """The training of a network that begins with given weights (a state dict, as arrays)."""

    weights: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Beside the network and the seed the weights count, whatever made them."""
        return fingerprint(super().key, tensors_of(self.weights))

    def build(self) -> nn.Module:
        """The network with its first weights."""
        network = self.space.build(self.space.parse([self.network])[0])
        network.load_state_dict(tensors_of(self.weights))
        return network


@dataclass(frozen=True)
class TaughtTraining(FurtherTraining):
    """The further training of a network that others teach, each a job that was trained and its weights.

    A teacher sees images at its own size, which must not be larger than the network's.
    """

    teachers: tuple[FurtherTraining, ...] = ()
    share: float = 0.0

    @property
    def key(self) -> str:
        """Beside the first weights who teaches counts, and how much."""
        return fingerprint(super().key, self.share, [teacher.key for teacher in self.teachers])

    @property
    def teaching(self) -> Teaching:
        """The teachers, and what they say at the size of the network's images."""
        return Teaching(tuple(Resized(teacher.build(), teacher.image_size) for teacher in self.teachers), self.share)


@dataclass(frozen=True)
class Trainings:
    """The trainings of one schedule on one data set: done in parallel, kept in a work store, looked up if done before.

    On a CPU each training has one of ``device.workers`` processes and one thread, so that results do not depend on how
    many there are; or so many ``processes``, which share the images of each step. On a GPU they follow one another.
    ``keep_weights`` keeps the weights as well. A training that lasts longer than ``checkpoint_seconds`` saves its state
    that often, to go on from if it is killed. Where all networks of a call diverge that is an error, unless
    ``may_all_diverge``, as where a search asks for one at a time.
    """

    train: ImageSplit
    validation: ImageSplit
    description: ImageDescription
    training: TrainingParameters
    augmentation: AugmentationParameters
    device: DeviceParameters
    work: WorkStore
    keep_weights: bool = True
    processes: int = 1
    checkpoint_seconds: float = 10.0
    may_all_diverge: bool = False

    def run(self, jobs: Sequence[TrainingJob], progress: str = "train alone") -> pd.DataFrame:
        """Train what is not done yet; a row per job in their order: ``TRAINING_COLUMNS``.

        Each finished training is saved at once (weights, then its figures). A killed run repeats only what was under
        way: of each such training the last epoch and at most ``checkpoint_seconds`` of earlier ones.
        """
        store = self._store
        keys = [job.key for job in jobs]  # Each is a digest of weights where there are any.
        figures = {key: self._figures(key) for key in keys}
        waiting = {key: job for key, job in zip(keys, jobs, strict=True) if figures[key] is None}
        shares = single_shares(self.device, len(waiting), self.processes)
        # Each tells how far it is, since none may end for long; bars would be too many where some have to wait.
        at_once = len(waiting) <= max(shares.workers, 1)
        lines = _lines(progress, list(waiting), shares.workers) if at_once or not on_terminal() else {}
        hidden = not waiting or at_once
        with progress_bar(total=len(waiting), desc=progress, unit="network", hidden=hidden) as bar:
            self._train(list(waiting.values()), bar, shares, lines)
        figures |= {key: store.load_json(key) for key in waiting}
        self._tell_of_diverged(dict(zip(keys, jobs, strict=True)), waiting.keys(), figures, progress)
        rows = [
            (job.label or job.network, job.seed, *_scores(figures[key])) for key, job in zip(keys, jobs, strict=True)
        ]
        types = {"network": "str", "seed": "int64"}
        return pd.DataFrame(rows, columns=TRAINING_COLUMNS).astype(
            {name: types.get(name, "float64") for name in TRAINING_COLUMNS}
        )

    def _tell_of_diverged(
        self, jobs: Mapping[str, TrainingJob], fresh: Collection[str], figures: Mapping[str, Any], what: str
    ) -> None:
        """Log which of the fresh trainings diverged; ArchatlasError if all did twice, from scratch."""
        names = {key: job.label or job.network for key, job in jobs.items()}
        rate = self.training.learning_rate
        slower = [names[key] for key in fresh if _NEVER < figures[key]["learning_rate"] < rate]
        if slower:
            _log.warning(
                "%s: training diverged at `learning_rate` %g and was repeated at %g: %s",
                what, rate, rate * SLOWER, ", ".join(slower),
            )  # fmt: skip
        never = {key: name for key, name in names.items() if figures[key]["learning_rate"] == _NEVER}
        from_scratch = not any(isinstance(job, FurtherTraining) for job in jobs.values())
        if fresh and from_scratch and len(never) == len(names) and not self.may_all_diverge:
            raise ArchatlasError(
                f"{what}: all {len(never)} trainings diverged, at `learning_rate` {rate:g} and at {rate * SLOWER:g} "
                f"({next(iter(never.values()))}): lower `learning_rate`, lengthen `warmup_epochs` or set "
                "`gradient_clip`"
            )
        counted_out = [name for key, name in never.items() if key in fresh]
        if counted_out:
            _log.warning(
                "%s: training diverged twice, at `learning_rate` %g too: %s. It counts as if it was not trained.",
                what, rate * SLOWER, ", ".join(counted_out),
            )  # fmt: skip

    def weights(self, job: TrainingJob) -> dict[str, Tensor]:
        """The trained weights of a job, which is trained first if it was not."""
        self.run([job])
        return self._store.load_tensors(job.key) or {}

    def diverged(self, job: TrainingJob) -> bool:
        """Whether a job that is done has diverged twice: its weights are those that it began with."""
        figures = self._figures(job.key)
        return figures is not None and figures["learning_rate"] == _NEVER

    def test(self, job: TrainingJob, images: ImageSplit) -> NDArray[np.bool_]:
        """Which of the images a trained network names rightly, ``[n]``; it sees them at its own size."""
        network = job.build()
        network.load_state_dict(self.weights(job))
        logits = logits_of(network, images.at(job.image_size), self.description, device=self.device)
        right: NDArray[np.bool_] = (logits.argmax(dim=1) == images.labels).numpy()
        return right

    @cached_property
    def _store(self) -> WorkStore:
        data = (self.train.to_tensors(), self.validation.to_tensors(), self.description)
        setting = (self.training, self.augmentation, single_device(self.device, self.processes))
        return self.work.task("trainings", package_version(), _FIGURES, *setting, *data)

    def _figures(self, key: str) -> dict[str, Any] | None:
        """The figures of a training that is done, weights and all."""
        figures: dict[str, Any] | None = self._store.load_json(key)
        if self.keep_weights and self._store.load_tensors(key) is None:
            return None
        return figures

    def _train(self, jobs: Sequence[TrainingJob], bar: Any, shares: Shares, lines: Mapping[str, _Line]) -> None:
        """Train all jobs, whose results are in the store then; ``bar`` is updated with each."""
        device = single_device(self.device, self.processes)
        keeping = self.keep_weights, self.checkpoint_seconds
        setting = _Setting(self.description, self.training, self.augmentation, device, *keeping, lines)
        # Where this process trains on a CPU it does so by one thread, and has its threads back after.
        with (
            threads_restored(),
            self._images({job.image_size for job in jobs}) as images,
            side_by_side(_train_one, jobs, *images, setting, self._store, shares=shares) as results,
        ):
            for done in results:
                self._keep(done)
                bar.update()

    @contextmanager
    def _images(self, sizes: Collection[int]) -> Iterator[tuple[_Images, _Images]]:
        """Images to train on and to judge by, as workers take them.

        Where processes of this machine share trainings they lie in files, once for all trainings of a size.
        """
        splits = {"train": self.train, "validation": self.validation}
        if self.processes == 1 or not sizes or not may_share_steps(self.device):
            yield self.train.to_arrays(), self.validation.to_arrays()
            return
        place = folder_for(len(sizes) * sum(split.images.nbytes for split in splits.values()))
        with TemporaryDirectory(prefix="archatlas-", dir=place) as folder:
            train, validation = (
                {size: split.at(size).in_file(Path(folder, f"{name}_{size}")) for size in sizes}
                for name, split in splits.items()
            )
            yield train, validation

    def _keep(self, done: _Done) -> None:
        """Save a training; the figures last: where they are, it is done."""
        if done.weights is not None:
            self._store.save_tensors(done.key, tensors_of(done.weights))
        self._store.save_json(done.key, done.figures)
        _checkpoints(self._store, done.key).discard()


_Images: TypeAlias = SplitArrays | Mapping[int, Path]
"""A split as it is prepared, or files of it by the size of its images."""


def _split(images: _Images, size: int) -> ImageSplit:
    return ImageSplit.of_file(images[size]) if isinstance(images, Mapping) else ImageSplit.from_arrays(images).at(size)


_Line: TypeAlias = tuple[str, int, int]
"""What a training is called where it tells how far it is, the number of its line, and how many take turns."""


def _lines(what: str, keys: Sequence[str], workers: int) -> dict[str, _Line]:
    of = [f", {number} of {len(keys)}" for number in range(1, len(keys) + 1)] if len(keys) > 1 else [""]
    turns = max(min(workers, len(keys)), 1)
    return {key: (what + which, number, turns) for number, (key, which) in enumerate(zip(keys, of, strict=False))}


@dataclass(frozen=True)
class _Setting:
    description: ImageDescription
    training: TrainingParameters
    augmentation: AugmentationParameters
    device: DeviceParameters
    keep_weights: bool
    checkpoint_seconds: float
    lines: Mapping[str, _Line]


@dataclass(frozen=True)
class _Done:
    """A training that has ended: what it is kept under, its figures, and its weights where they are to be kept."""

    key: str
    figures: dict[str, Any]
    weights: dict[str, NDArray[Any]] | None


def _checkpoints(store: WorkStore, key: str) -> WorkStore:
    return WorkStore(store.folder / f"{key}.checkpoints")


def _train_one(
    job: TrainingJob, train_images: _Images, validation_images: _Images, setting: _Setting, store: WorkStore
) -> _Done:
    """Train, judge on the validation images; runs in a worker where several train at a time."""
    size, half, key = job.image_size, setting.training.epochs // 2, job.key
    checkpoints = _checkpoints(store, key)
    images, validation = (_split(one, size) for one in (train_images, validation_images))
    title, line, turns = setting.lines.get(key, (None, 0, 1))

    def trained(training: TrainingParameters) -> tuple[nn.Module, list[dict[str, float]]]:
        network = job.build()
        curve = train(
            network,
            images,
            setting.description,
            training=training,
            augmentation=setting.augmentation.scaled(size / setting.description.image_size),
            device=setting.device,
            seed=job.seed,
            checkpoints=checkpoints,
            checkpoint_seconds=setting.checkpoint_seconds,
            validation=validation if half else None,
            validate_after=[half],
            teaching=job.teaching,
            progress=title,
            progress_line=line,
            progress_turns=turns,
        )
        return network, curve

    rate = setting.training.learning_rate
    try:
        network, curve = trained(setting.training)
    except DivergedError:
        # Again by its seed, so at a lower rate: one network of many must not end the work of hours.
        rate *= SLOWER
        try:
            network, curve = trained(setting.training.model_copy(update={"learning_rate": rate}))
        except DivergedError:
            # It counts as what it is without training, and so against nobody.
            network, curve, rate = job.build(), [], _NEVER
    logits = logits_of(network, validation, setting.description, device=setting.device)
    accuracy, log_loss = accuracy_and_log_loss(logits, validation.labels)
    at_half = curve[half - 1] if half and curve else {}
    figures = (accuracy, log_loss, at_half.get("validation_accuracy"), at_half.get("validation_log_loss"))
    told = {"network": job.network, "seed": job.seed, "learning_rate": rate}
    kept = arrays_of(network.state_dict()) if setting.keep_weights else None
    return _Done(key, {**told, **dict(zip(_FIGURES, figures, strict=True))}, kept)


def _scores(figures: dict[str, Any] | None) -> tuple[float | None, ...]:
    assert figures is not None
    return tuple(figures[name] for name in _FIGURES)
