"""One training loop for stand-alone networks and super-networks."""

from __future__ import annotations

import copy
import math
import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol, TypeAlias

import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from archatlas.errors import ArchatlasError
from archatlas.images.augmentation import augment
from archatlas.images.dataset import ImageSplit
from archatlas.images.description import ImageDescription
from archatlas.images.normalise import normalise
from archatlas.images.parameters import AugmentationParameters
from archatlas.progress import progress_bar
from archatlas.storage.work_store import WorkStore
from archatlas.training.average import WeightAverage
from archatlas.training.checkpoint import (
    Checkpoint,
    load_checkpoint,
    optimizer_tensors,
    package_version,
    restore_optimizer,
    save_checkpoint,
)
from archatlas.training.evaluate import accuracy_and_log_loss, logits_of
from archatlas.training.fabric import (
    make_fabric,
    prepare_process,
    threads_restored,
    where_there_is_room,
)
from archatlas.training.parameters import (
    FEWEST_OF_A_STEP,
    DeviceParameters,
    TrainingParameters,
    misfit_of_devices,
)
from archatlas.training.schedule import CosineSchedule
from archatlas.training.seeds import mixed_seed
from archatlas.training.sharing import share_out
from archatlas.training.weights import arrays_of, tensors_of

# Independent random streams of one epoch.
_ORDER, _PATHS, _AUGMENTATION, _NETWORK = range(4)


class DivergedError(ArchatlasError):
    """The loss of a training is no longer a finite number."""


class PathSampler(Protocol):
    """Which paths a step trains. Its ``repr`` must say all that it depends on: checkpoints are keyed by it."""

    def __call__(self, step: int, generator: torch.Generator) -> Sequence[Any]: ...


@dataclass(frozen=True)
class Teaching:
    """Trained networks whose mean probabilities make up ``share`` of the target, beside the labels.

    Distillation (Hinton et al., 2015, arXiv 1503.02531) at temperature 1, on the very images that the taught network
    sees (consistent teaching: Beyer et al., CVPR 2022, section 3).
    """

    teachers: tuple[nn.Module, ...]
    share: float


@dataclass(frozen=True)
class _Job:
    """Everything that a process needs to train; picklable."""

    network: nn.Module
    images: ImageSplit
    description: ImageDescription
    training: TrainingParameters
    augmentation: AugmentationParameters
    device: DeviceParameters
    seed: int
    paths: PathSampler | None
    store: WorkStore | None
    checkpoint_seconds: float
    progress: str | None
    progress_line: int
    progress_turns: int
    validation: ImageSplit | None
    validate_after: frozenset[int] | None
    teaching: Teaching | None

    @property
    def batch_size(self) -> int:
        return images_of_a_step(self.training, len(self.images), self.device)

    @property
    def steps(self) -> int:
        """Steps of an epoch; the images left over by its last whole batch wait for another epoch's order."""
        return self.training.of_an_epoch(len(self.images)) // self.batch_size

    def generator(self, epoch: int, *stream: int) -> torch.Generator:
        """A generator that depends on the seed, the epoch and the stream alone, so that any epoch can be resumed."""
        return torch.Generator().manual_seed(mixed_seed(self.seed, epoch, *stream))


def train(
    network: nn.Module,
    images: ImageSplit,
    description: ImageDescription,
    *,
    training: TrainingParameters,
    augmentation: AugmentationParameters,
    device: DeviceParameters,
    seed: int,
    paths: PathSampler | None = None,
    checkpoints: WorkStore | None = None,
    checkpoint_seconds: float = 0.0,
    progress: str | None = None,
    progress_line: int = 0,
    progress_turns: int = 1,
    validation: ImageSplit | None = None,
    validate_after: Iterable[int] | None = None,
    teaching: Teaching | None = None,
) -> list[dict[str, float]]:
    """Train ``network`` in place and give its learning curve: epoch (from 1), loss, accuracy, learning_rate.

    Loss and accuracy are means over the epoch's (augmented) training batches and paths; with ``validation`` also
    validation_accuracy and validation_log_loss of the weights as they would be returned (after each epoch, or after the
    epochs ``validate_after`` alone, which changes no weight). With ``paths`` a step trains
    ``network(x, path)`` for each path of ``paths(step, generator)`` and the gradients of the mean loss are accumulated.
    The weights at the end are the averaged ones if ``training.ema_decay`` is set. With ``teaching`` the target is
    ``(1 - share) * label + share * (mean probabilities of the teachers)``; teachers stay as they are.

    With ``checkpoints`` every epoch that ends ``checkpoint_seconds`` or more after the last one saved is saved there,
    under the fingerprint of all that makes the training (initial weights, images and parameters among it), and a
    training that was stopped goes on from it to the very same weights: what is repeated is the epoch under way and at
    most ``checkpoint_seconds`` of earlier ones. With several devices each takes its share of a step's images along the
    same paths. Raises DivergedError if the loss is no longer finite.
    """
    if paths is not None and validation is not None:
        raise ValueError("a super-network has no accuracy of its own: `validation` goes without `paths`")
    if paths is not None and teaching is not None:
        raise ValueError("paths of a super-network are not taught: `teaching` goes without `paths`")
    problem = misfit_of_devices(training, device)
    if problem is not None:
        raise ArchatlasError(problem)
    of_an_epoch = training.of_an_epoch(len(images))
    if device.devices > 1 and of_an_epoch < FEWEST_OF_A_STEP * device.devices:
        raise ArchatlasError(
            f"an epoch has {of_an_epoch} training images, and each of `device.devices` = {device.devices} needs "
            f"{FEWEST_OF_A_STEP} in a step: ask for fewer devices"
        )
    epochs = None if validate_after is None else frozenset(validate_after)
    store = None
    if checkpoints is not None:
        made_by = (network.state_dict(), repr(network), images.to_tensors(), description, training, augmentation)
        validated: Any = None if validation is None else validation.to_tensors()
        if epochs is not None:
            validated = (validated, sorted(epochs))
        taught = [] if teaching is None else [teaching.share, *(one.state_dict() for one in teaching.teachers)]
        store = checkpoints.task("training", package_version(), *made_by, device, seed, repr(paths), validated, taught)
    resumed = None if store is None else load_checkpoint(store)
    given = (network, images, description, training, augmentation, device, seed, paths)
    told = progress, progress_line, progress_turns
    job = _Job(*given, store, checkpoint_seconds, *told, validation, epochs, teaching)
    if resumed is not None and len(resumed.curve) == training.epochs:
        network.load_state_dict(dict(resumed.network))
        return resumed.curve
    with threads_restored():
        curve, weights = _launch(job, resumed)
    if not math.isfinite(curve[-1]["loss"]):
        raise DivergedError(
            f"training diverged: the loss is {curve[-1]['loss']} in epoch {curve[-1]['epoch']}. Lower `learning_rate` "
            f"(now {training.learning_rate}), lengthen `warmup_epochs` or set `gradient_clip`."
        )
    network.to("cpu", torch.float32).load_state_dict(tensors_of(weights))
    return list(curve)


_Trained: TypeAlias = tuple[list[dict[str, float]], dict[str, NDArray[Any]]]
"""The curve and the final weights."""


def _launch(job: _Job, resumed: Checkpoint | None) -> _Trained:
    """Train here, or with several devices in a process each."""
    fabric = make_fabric(job.device, some_unused=job.paths is not None)
    if job.device.devices == 1:
        alone: _Trained = fabric.launch(partial(_train_here, job=job, resumed=resumed))
        return alone
    splits = {_IMAGES: job.images} | ({} if job.validation is None else {_VALIDATION: job.validation})
    without = replace(job, images=job.images.subset(torch.arange(0)), validation=None)
    return share_out(fabric, job.device.devices, partial(_train_with, job=without, resumed=resumed), splits)


_IMAGES, _VALIDATION = "images", "validation"


def _train_with(fabric: Fabric, splits: Mapping[str, ImageSplit], job: _Job, resumed: Checkpoint | None) -> _Trained:
    """Train as one of several processes."""
    # Of depthwise weights, whose strides are the same but for a dimension of one.
    warnings.filterwarnings("ignore", message="Grad strides do not match bucket view strides")
    # What a spawned process is handed lies in memory that it shares with the others.
    network = copy.deepcopy(job.network)
    own = replace(job, network=network, images=splits[_IMAGES], validation=splits.get(_VALIDATION))
    return _train_here(fabric, own, resumed)


def _train_here(fabric: Fabric, job: _Job, resumed: Checkpoint | None) -> _Trained:
    """Train in this process; weights as NumPy arrays, which a file of pickled ones holds by value."""
    prepare_process(job.device)
    trainer = _Trainer(fabric, job)
    if resumed is not None:
        trainer.restore(resumed)
    curve = trainer.run([] if resumed is None else list(resumed.curve))
    return curve, arrays_of(trainer.weights())


class _Trainer:
    """Network, optimiser and averages of one process."""

    def __init__(self, fabric: Fabric, job: _Job) -> None:
        self.fabric, self.job = fabric, job
        self.network = job.network
        if job.device.channels_last:
            self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizer = make_optimizer(self.network, job.training)
        self.model, self.stepper = fabric.setup(self.network, self.optimizer)
        self.average: WeightAverage | None = None
        if job.training.ema_decay is not None:
            self.average = WeightAverage(self.network, job.training.ema_decay)
        self.images = where_there_is_room(job.images.images, fabric.device)
        self.labels = job.images.labels.to(fabric.device)
        self.class_weights = class_weights(job.images.labels, job.description.num_classes, job.training)
        if self.class_weights is not None:
            self.class_weights = self.class_weights.to(fabric.device)
        self.teachers = [] if job.teaching is None else [self._teacher(one) for one in job.teaching.teachers]
        self.schedule = CosineSchedule(
            job.training.learning_rate,
            total_steps=job.training.epochs * job.steps,
            warmup_steps=round(job.training.warmup_epochs * job.steps),
        )

    def _teacher(self, network: nn.Module) -> nn.Module:
        own = copy.deepcopy(network).to(self.fabric.device).eval()
        if self.job.device.channels_last:
            own.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return own

    def _loss(self, logits: Tensor, labels: Tensor, batch: Tensor) -> Tensor:
        smoothing, teaching = self.job.training.label_smoothing, self.job.teaching
        if teaching is None:
            return mean_loss(logits, labels, smoothing, self.class_weights)
        with torch.no_grad(), self.fabric.autocast():
            said = torch.stack([teacher(batch).float().softmax(dim=1) for teacher in self.teachers]).mean(dim=0)
        return mean_loss(logits, labels, smoothing, self.class_weights, said, teaching.share)

    def run(self, curve: list[dict[str, float]]) -> list[dict[str, float]]:
        """Train the epochs that ``curve`` lacks; stops early, without saving, at a loss that is not finite."""
        job, epochs = self.job, self.job.training.epochs
        saved = time.monotonic()
        with progress_bar(
            total=epochs * job.steps,
            initial=len(curve) * job.steps,
            desc=job.progress,
            unit="step",
            position=job.progress_line,
            turns=job.progress_turns,
            hidden=job.progress is None or not self.fabric.is_global_zero,
        ) as bar:
            for epoch in range(len(curve), epochs):
                curve.append(self._epoch(epoch, bar))
                if not math.isfinite(curve[-1]["loss"]):
                    break
                due = time.monotonic() - saved >= job.checkpoint_seconds
                if due and job.store is not None and self.fabric.is_global_zero:
                    save_checkpoint(job.store, self._checkpoint(curve))
                    saved = time.monotonic()
        return curve

    def _epoch(self, epoch: int, bar: Any) -> dict[str, float]:
        job, fabric = self.job, self.fabric
        order = torch.randperm(len(job.images), generator=job.generator(epoch, _ORDER))
        paths_generator = job.generator(epoch, _PATHS)
        augmentation_generator = job.generator(epoch, _AUGMENTATION, fabric.global_rank)
        sums = torch.zeros(2, dtype=torch.float64 if fabric.device.type != "mps" else None, device=fabric.device)
        rate = 0.0
        self.model.train()
        forked = [fabric.device] if fabric.device.type == "cuda" else []
        with torch.random.fork_rng(devices=forked):
            # For networks that draw in their forward pass, such as those with dropout.
            torch.manual_seed(mixed_seed(job.seed, epoch, _NETWORK, fabric.global_rank))
            for position in range(job.steps):
                step = epoch * job.steps + position
                rate = self.schedule(step)
                index = order[position * job.batch_size : (position + 1) * job.batch_size]
                index = index[fabric.global_rank :: fabric.world_size]
                batch, labels = self._batch(index, augmentation_generator)
                paths = [None] if job.paths is None else job.paths(step, paths_generator)
                sums += self._step(step, rate, batch, labels, paths)
                bar.update()
                if not bar.disable and position % 20 == 0:
                    bar.set_postfix(epoch=epoch + 1, loss=f"{float(sums[0]) / (position + 1):.3f}")
        if fabric.world_size > 1:
            sums = fabric.all_reduce(sums, reduce_op="mean")  # type: ignore[assignment]
        loss, accuracy = (sums / job.steps).tolist()
        return {
            "epoch": epoch + 1,
            "loss": loss,
            "accuracy": accuracy,
            "learning_rate": rate,
            **self._validate(epoch + 1),
        }

    def _batch(self, index: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Images as the network is shown them, and their labels."""
        job, place = self.job, self.fabric.device
        layout = torch.channels_last if job.device.channels_last else torch.contiguous_format
        pixels = self.images[index.to(self.images.device)].to(place).contiguous(memory_format=layout)
        batch = augment(normalise(pixels, job.description), job.augmentation, generator)
        return batch.contiguous(memory_format=layout), self.labels[index.to(place)]

    def _step(self, step: int, rate: float, batch: Tensor, labels: Tensor, paths: Sequence[Any]) -> Tensor:
        """One update of the weights; (mean loss, mean accuracy) over the paths, still on the device."""
        training = self.job.training
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        measured = []
        for number, path in enumerate(paths):
            # Gradients are exchanged once a step, at its last path.
            waits = self.fabric.world_size > 1 and number + 1 < len(paths)
            with self.fabric.no_backward_sync(self.model, enabled=waits):
                logits = self.model(batch) if path is None else self.model(batch, path)
                loss = self._loss(logits, labels, batch)
                self.fabric.backward(loss / len(paths))
            measured.append(torch.stack([loss.detach(), (logits.detach().argmax(dim=1) == labels).float().mean()]))
        if training.gradient_clip is not None:
            self.fabric.clip_gradients(
                self.model, self.stepper, max_norm=training.gradient_clip, error_if_nonfinite=False
            )
        self.stepper.step()
        # None, not zero: blocks that no path touched are neither decayed nor moved by old momentum.
        self.stepper.zero_grad(set_to_none=True)
        if self.average is not None:
            self.average.update(step)
        return torch.stack(measured).mean(dim=0)

    def _validate(self, epoch: int) -> dict[str, float]:
        job = self.job
        if job.validation is None or not self.fabric.is_global_zero:
            return {}
        if job.validate_after is not None and epoch not in job.validate_after:
            return {}
        network = self.network
        if self.average is not None:
            network = copy.deepcopy(self.network)
            network.load_state_dict(self.average.averages)
        logits = logits_of(network, job.validation, job.description, device=job.device)
        accuracy, log_loss = accuracy_and_log_loss(logits, job.validation.labels)
        return {"validation_accuracy": accuracy, "validation_log_loss": log_loss}

    def weights(self) -> dict[str, Tensor]:
        """The weights to keep, on the CPU, floating-point ones in float32."""
        state = self.network.state_dict() if self.average is None else self.average.averages
        return {
            name: tensor.detach().to("cpu", torch.float32 if tensor.is_floating_point() else tensor.dtype).clone()
            for name, tensor in state.items()
        }

    def _checkpoint(self, curve: list[dict[str, float]]) -> Checkpoint:
        if len(curve) == self.job.training.epochs:
            return Checkpoint(curve, self.weights())
        scaler = self.fabric.strategy.precision.state_dict()  # Empty where nothing is scaled.
        return Checkpoint(
            curve,
            self.network.state_dict(),
            {} if self.average is None else self.average.averages,
            optimizer_tensors(self.optimizer),
            {name: torch.tensor(value, dtype=torch.float64) for name, value in scaler.items()},
        )

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on from ``checkpoint``."""
        self.network.load_state_dict(dict(checkpoint.network))
        restore_optimizer(self.optimizer, checkpoint.optimizer)
        if self.average is not None:
            self.average.load(checkpoint.average)
        precision = self.fabric.strategy.precision
        scaler = {name: type(now)(checkpoint.scaler[name].item()) for name, now in precision.state_dict().items()}
        precision.load_state_dict(scaler)


def images_of_a_step(training: TrainingParameters, images: int, device: DeviceParameters) -> int:
    """``batch_size``; where an epoch has fewer images as many of them as devices can share equally."""
    images = training.of_an_epoch(images)
    return min(training.batch_size, images - images % device.devices)


def class_weights(labels: Tensor, classes: int, training: TrainingParameters) -> Tensor | None:
    """What each class counts in the loss, float32 ``[classes]``: ``n / (classes n_c)`` under balanced; else None.

    A class without images counts as one with a single image; no step meets it.
    """
    if training.class_weights == "none":
        return None
    counts = torch.bincount(labels, minlength=classes).clamp(min=1)
    return len(labels) / (classes * counts.float())


def mean_loss(
    logits: Tensor,
    labels: Tensor,
    smoothing: float,
    weights: Tensor | None,
    said: Tensor | None = None,
    share: float = 0.0,
) -> Tensor:
    """The cross-entropy of a batch, with the labels smoothed, a mean over its images.

    Args:
        logits: ``[b, classes]``.
        labels: int64 ``[b]``.
        smoothing: share of the target spread over all classes.
        weights: ``[classes]``, which each image's loss is multiplied by; None: all count alike. The sum is divided by
            the number of images and not, as PyTorch does, by that of their weights: where a batch holds no image of a
            rare class the others would count for more, and processes would optimise another loss than one.
        said: what teachers say, probabilities ``[b, classes]``.
        share: of the teachers in the target.
    """
    reduction = "mean" if weights is None else "none"
    loss = functional.cross_entropy(logits, labels, label_smoothing=smoothing, reduction=reduction)
    if said is not None:
        loss = torch.lerp(loss, functional.cross_entropy(logits.float(), said, reduction=reduction), share)
    return loss if weights is None else (weights[labels] * loss).mean()


def make_optimizer(network: nn.Module, training: TrainingParameters) -> torch.optim.Optimizer:
    """The optimiser; weight decay is applied to convolution and linear weights alone, not to norms and biases."""
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": training.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    rate, momentum = training.learning_rate, training.momentum
    if training.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=rate, betas=(momentum, 0.999), foreach=True)
    return torch.optim.SGD(groups, lr=rate, momentum=momentum, nesterov=momentum > 0, foreach=True)
