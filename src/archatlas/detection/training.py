"""Detectors trained side by side, each kept once it is done."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from archatlas.detection.detector import Detector, begin
from archatlas.detection.losses import Targets, detection_loss, targets_of
from archatlas.detection.parameters import DetectionParameters
from archatlas.detection.scenes import Scenes
from archatlas.engines.engine import side_by_side
from archatlas.errors import ArchatlasError
from archatlas.images.description import ImageDescription
from archatlas.images.normalise import normalise
from archatlas.progress import progress_bar
from archatlas.spaces.identity import identity_of
from archatlas.storage.work_store import WorkStore, fingerprint
from archatlas.training.fabric import (
    kind_of_device,
    prepare_process,
    single_device,
    single_shares,
    threads_restored,
    torch_device,
)
from archatlas.training.loop import make_optimizer
from archatlas.training.parameters import DeviceParameters
from archatlas.training.schedule import CosineSchedule
from archatlas.training.seeds import mixed_seed
from archatlas.training.weights import arrays_of, tensors_of
from archatlas.verification.members import Member

_WEIGHTS, _ORDER = range(2)


@dataclass(frozen=True)
class DetectorJob:
    """A detector on one backbone, from one seed; ``weights`` are the trained ones that the backbone begins with."""

    backbone: Member
    weights: Mapping[str, NDArray[Any]]
    seed: int

    @property
    def key(self) -> str:
        """What the training is kept under."""
        own = tensors_of(self.weights)
        return fingerprint(identity_of(self.backbone.space), self.backbone.network, self.seed, own)

    def build(self, parameters: DetectionParameters) -> Detector:
        """The detector before it is trained."""
        backbone, space = self.backbone.build(), self.backbone.space
        backbone.load_state_dict(tensors_of(self.weights))
        detector = Detector(backbone, space.input_shape[0], space.num_classes, parameters.levels, parameters.width)
        begin(detector, torch.Generator().manual_seed(mixed_seed(self.seed, _WEIGHTS)))
        return detector


@dataclass(frozen=True)
class DetectorTrainings:
    """The trainings of detectors on some scenes: on a CPU side by side with a thread each, elsewhere one by one."""

    scenes: Scenes
    description: ImageDescription
    parameters: DetectionParameters
    device: DeviceParameters
    work: WorkStore

    def run(self, jobs: Sequence[DetectorJob], progress: str = "detectors") -> list[dict[str, Tensor]]:
        """Weights of each job's detector, in their order; those that were trained before are read.

        Raises:
            ArchatlasError: a loss is no finite number.
        """
        store = self._store
        waiting = {job.key: job for job in jobs if store.load_tensors(job.key) is None}
        with progress_bar(total=len(waiting), desc=progress, unit="detector", hidden=not waiting) as bar:
            self._train(list(waiting.values()), bar)
        return [store.load_tensors(job.key) or {} for job in jobs]

    @property
    def _store(self) -> WorkStore:
        made_by = (self.parameters.training, self.parameters.levels, self.parameters.width, kind_of_device(self.device))
        return self.work.task("detectors", *made_by, self.scenes.to_tensors(), self.description)

    def _train(self, jobs: Sequence[DetectorJob], bar: Any) -> None:
        """Train all jobs, whose weights are in the store then; ``bar`` is updated with each."""
        given = arrays_of(self.scenes.to_tensors()), self.description, self.parameters, single_device(self.device)
        shares = single_shares(self.device, len(jobs))
        with threads_restored(), side_by_side(_train_one, jobs, *given, shares=shares) as results:
            for key, weights in results:
                self._store.save_tensors(key, tensors_of(weights))
                bar.update()


def _train_one(
    job: DetectorJob,
    arrays: Mapping[str, NDArray[Any]],
    description: ImageDescription,
    parameters: DetectionParameters,
    device: DeviceParameters,
) -> tuple[str, dict[str, NDArray[Any]]]:
    """The job's key and the trained weights; runs in a worker on a CPU, with one thread."""
    prepare_process(device)
    scenes = Scenes.from_tensors(tensors_of(arrays))
    detector = job.build(parameters).to(torch_device(device))
    train_detector(detector, scenes, description, parameters, job.seed)
    return job.key, arrays_of(detector.to("cpu").state_dict())


def train_detector(
    detector: Detector, scenes: Scenes, description: ImageDescription, parameters: DetectionParameters, seed: int
) -> list[float]:
    """Train all of the detector in place, where it is; the mean loss of each epoch.

    Raises:
        ArchatlasError: the loss is no finite number.
    """
    training, place = parameters.training, next(detector.parameters()).device
    # Small convolutions take half the time so.
    detector.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    pixels = normalise(scenes.images.to(place), description).contiguous(memory_format=torch.channels_last)
    targets = Targets(*(one.to(place) for one in targets_of(scenes, detector.places(pixels.shape[-1]))))
    images = training.of_an_epoch(len(scenes))
    optimizer, size = make_optimizer(detector, training), min(training.batch_size, images)
    steps = images // size
    schedule = CosineSchedule(training.learning_rate, training.epochs * steps, round(training.warmup_epochs * steps))
    generator, losses = torch.Generator().manual_seed(mixed_seed(seed, _ORDER)), []
    for epoch in range(training.epochs):
        detector.train()
        order, total = torch.randperm(len(scenes), generator=generator).to(place), 0.0
        for step in range(steps):
            for group in optimizer.param_groups:
                group["lr"] = schedule(epoch * steps + step)
            index = order[step * size : (step + 1) * size]
            loss = detection_loss(detector(pixels[index]), Targets(*(one[index] for one in targets)))
            loss.backward()  # type: ignore[no-untyped-call]
            if training.gradient_clip is not None:
                torch.nn.utils.clip_grad_norm_(detector.parameters(), training.gradient_clip)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            total += float(loss.detach())
        losses.append(total / steps)
        if not math.isfinite(losses[-1]):
            raise ArchatlasError(
                f"the loss of a detector is {losses[-1]} in epoch {epoch + 1}: lower `detection.training.learning_rate`"
                " or set `detection.training.gradient_clip`"
            )
    return losses
