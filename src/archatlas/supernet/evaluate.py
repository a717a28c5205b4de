"""Scores of subnets: accuracy and log loss on the validation images."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from archatlas.images.dataset import ImageSplit
from archatlas.images.description import ImageDescription
from archatlas.images.normalise import normalise
from archatlas.images.shrinking import shrink
from archatlas.progress import progress_bar
from archatlas.spaces.identity import identity_of
from archatlas.spaces.protocol import Choices, SearchSpace
from archatlas.storage.work_store import WorkStore
from archatlas.supernet.judges import JUDGES
from archatlas.supernet.kept import Kept
from archatlas.supernet.parameters import EvaluationParameters
from archatlas.supernet.protocol import Part, Supernet
from archatlas.training.checkpoint import package_version
from archatlas.training.fabric import computes_in_bfloat16, prepare_process, threads_restored, torch_device
from archatlas.training.parameters import DeviceParameters
from archatlas.training.seeds import mixed_seed

HALVES = ("a", "b")
_CALIBRATION, _HALVES = range(2)
MOST_JUDGED_BYTES = 2**29
"""Of images in float32: 43,690 of 32 x 32 pixels, or 891 of 224 x 224."""
_MOST_BATCH_BYTES = 2**26
"""Of a batch of validation images in float32: 5,461 of 32 x 32 pixels, or 111 of 224 x 224."""


@dataclass(frozen=True)
class EvaluationRun:
    """The table of evaluations, and how long the forward passes behind it took (in this run and in earlier parts)."""

    table: pd.DataFrame
    seconds: float


def evaluate_subnets(
    supernet: Supernet,
    space: SearchSpace,
    choices: Choices,
    *,
    train: ImageSplit,
    validation: ImageSplit,
    description: ImageDescription,
    parameters: EvaluationParameters,
    device: DeviceParameters,
    seed: int,
    work: WorkStore | None,
    images_seed: int = 0,
    progress: str | None = None,
    progress_line: int = 0,
) -> EvaluationRun:
    """Scores of subnets on the halves "a" and "b" of the validation images, and the seconds that they took.

    The table has two rows per row of ``choices``, in their order.

    Columns: architecture, network, seed (``seed``: which super-network), half, accuracy (0 to 1), log_loss (nats),
    images, source ("supernet"), noise (binomial standard error of the accuracy). Batch-norm statistics are estimated
    for each subnet from training images; these and the halves are drawn by ``images_seed``, so they are the same for
    every super-network, and shrunk to the size that it was trained on. ``supernet`` is not changed. Finished parts in
    ``work`` are not evaluated again.
    """
    rows, back = distinct_rows(space, choices)
    seen = EvaluationImages(train, validation, description, parameters, device, images_seed)
    done = evaluate_parts(
        supernet, space, rows, range(parts_of(len(rows), parameters)), seen, work, progress, progress_line
    )
    return run_of(space, choices, back, done, seen, seed)


def distinct_rows(space: SearchSpace, choices: Choices) -> tuple[Choices, NDArray[np.intp]]:
    """The different rows of ``choices``, sorted, and for each of ``choices`` its place among them."""
    rows, back = np.unique(space.validate(choices), axis=0, return_inverse=True)
    return rows, back.reshape(-1)


def parts_of(rows: int, parameters: EvaluationParameters) -> int:
    """How many parts so many different rows are evaluated in."""
    return math.ceil(rows / parameters.part_size)


PartScores: TypeAlias = tuple[NDArray[np.float64], float]
"""Scores ``[n, halves, 2]`` of the rows of a part, and the seconds that they took."""


def evaluate_parts(
    supernet: Supernet,
    space: SearchSpace,
    rows: Choices,
    parts: Sequence[int],
    images: EvaluationImages,
    work: WorkStore | None,
    progress: str | None = None,
    progress_line: int = 0,
) -> dict[int, PartScores]:
    """Scores of these parts of the ``rows``, which are different and sorted, by number.

    Which parts are asked for, and in what company, changes no digit. Finished ones in ``work`` are taken from there.
    """
    store = None
    if work is not None:
        data = (images.train.to_tensors(), images.judged.to_tensors(), images.description)
        made_by = (
            supernet.state_dict(),
            identity_of(space),
            space.names(rows).tolist(),
            images.parameters,
            images.device,
            images.seed,
        )
        store = work.task("evaluation", package_version(), *made_by, *data)
    judging = Judging(supernet, space, images)
    with threads_restored():
        prepare_process(images.device)
        return _in_parts(rows, parts, images.parameters.part_size, store, judging.scores, progress, progress_line)


def run_of(
    space: SearchSpace,
    choices: Choices,
    back: NDArray[np.intp],
    done: Mapping[int, PartScores],
    images: EvaluationImages,
    seed: int,
) -> EvaluationRun:
    """The evaluations of ``choices`` from the scores of all parts of their different rows; ``back`` is their places."""
    ordered = [done[number] for number in range(len(done))]
    scores = np.concatenate([scores for scores, _ in ordered])
    table = table_of(space, choices, scores[back], images.halves, seed)
    return EvaluationRun(table, sum(seconds for _, seconds in ordered))


@dataclass(frozen=True)
class EvaluationImages:
    """The images that subnets are judged on, prepared once for each size; arguments as of ``evaluate_subnets``."""

    train: ImageSplit
    validation: ImageSplit
    description: ImageDescription
    parameters: EvaluationParameters
    device: DeviceParameters
    seed: int

    @cached_property
    def judged(self) -> ImageSplit:
        """The validation images, or as many as do not take too much memory: the first ones, a split has no order.

        All of them lie in memory as numbers, and at each block what a path makes of them.
        """
        most = max(MOST_JUDGED_BYTES // (4 * self.validation.images[:1].numel() or 1), 2)
        return self.validation if len(self.validation) <= most else self.validation.subset(torch.arange(most))

    @cached_property
    def halves(self) -> Tensor:
        """The half of each of these images (``split_halves``)."""
        return split_halves(self.judged.labels, mixed_seed(self.seed, _HALVES))

    @cached_property
    def labels(self) -> Tensor:
        """Of these images, on the device."""
        return self.judged.labels.to(torch_device(self.device))

    @cached_property
    def _batches(self) -> dict[int, tuple[list[Tensor], list[Tensor]]]:
        return {}

    def at(self, size: int) -> tuple[list[Tensor], list[Tensor]]:
        """Calibration and validation batches, shrunk to ``size`` pixels (``image_batches``)."""
        if size not in self._batches:
            given = self.train, self.judged, self.description, self.parameters, self.device, self.seed
            self._batches[size] = image_batches(*given, size)
        return self._batches[size]


class Judging:
    """Subnets of one super-network judged in several calls, for which copies are made once.

    Args:
        supernet: is not changed.
        space: of its paths.
        images: what they are judged on; several super-networks can share them.
        most_bytes: of what paths that begin alike share, so much is kept from call to call, for each copy.
    """

    def __init__(self, supernet: Supernet, space: SearchSpace, images: EvaluationImages, most_bytes: int = 0) -> None:
        self._supernet, self._space, self._images, self._most_bytes = supernet, space, images, most_bytes
        self._copies: dict[int, Supernet] = {}
        self._kept: dict[tuple[int, int], Kept] = {}

    def scores(self, rows: Choices) -> Iterator[NDArray[np.float64]]:
        """``half_scores`` of each of the sorted rows, in their order."""
        for part in self._supernet.judged(self._space, rows):
            working, kept = self._copy(part.supernet), self._kept_for(part)
            batches = self._images.at(part.image_size)
            for logits in JUDGES.load(working.judged_by)(working, part.rows, *batches, kept):
                yield half_scores(logits, self._images.labels, self._images.halves)

    def table(self, choices: Choices, number: int) -> pd.DataFrame:
        """The table of ``evaluate_subnets``, of super-network ``number``."""
        rows, back = distinct_rows(self._space, choices)
        with threads_restored():
            prepare_process(self._images.device)
            scores = np.stack(list(self.scores(rows)))
        return table_of(self._space, choices, scores[back], self._images.halves, number)

    def _copy(self, supernet: Supernet) -> Supernet:
        if id(supernet) not in self._copies:
            in_bfloat16 = _in_bfloat16(self._images.parameters)
            self._copies[id(supernet)] = working_copy(supernet, in_bfloat16, self._images.device)
        return self._copies[id(supernet)]

    def _kept_for(self, part: Part) -> Kept:
        return self._kept.setdefault((id(part.supernet), part.image_size), Kept(self._most_bytes))


def _in_bfloat16(parameters: EvaluationParameters) -> bool:
    return parameters.precision == "bf16" or (parameters.precision == "auto" and computes_in_bfloat16())


def working_copy(supernet: Supernet, in_bfloat16: bool, device: DeviceParameters) -> Supernet:
    """A deep copy on the device, whose running statistics may be changed freely.

    In bfloat16, convolutions and linear layers of the copy are cast, and so are the images: activations are bf16. Norms
    keep float32 weights and statistics. That is what autocast would do, without its casts at every call.
    """
    working = copy.deepcopy(supernet).to(torch_device(device))
    if in_bfloat16:
        for module in working.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                module.to(torch.bfloat16)
    if device.channels_last:
        working.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return working


def image_batches(
    train: ImageSplit,
    validation: ImageSplit,
    description: ImageDescription,
    parameters: EvaluationParameters,
    device: DeviceParameters,
    images_seed: int,
    image_size: int,
) -> tuple[list[Tensor], list[Tensor]]:
    """Calibration batches (all of one size, drawn from the training images) and validation batches, on the device.

    Images are shrunk to ``image_size`` pixels.
    """
    size = min(parameters.calibration_batch, parameters.calibration_images, len(train))
    count = min(parameters.calibration_images, len(train)) // size
    generator = torch.Generator().manual_seed(mixed_seed(images_seed, _CALIBRATION))
    drawn = torch.randperm(len(train), generator=generator)[: size * count]
    dtype = torch.bfloat16 if _in_bfloat16(parameters) else torch.float32
    layout = torch.channels_last if device.channels_last else torch.contiguous_format
    place = torch_device(device)

    def prepared(images: Tensor, batch: int) -> list[Tensor]:
        return [
            normalise(part.to(place), description, dtype).contiguous(memory_format=layout)
            for part in torch.split(shrink(images, image_size), batch)
        ]

    at_once = max(_MOST_BATCH_BYTES // (4 * train.images.shape[1] * image_size**2), 1)
    return prepared(train.images[drawn], size), prepared(validation.images, min(parameters.validation_batch, at_once))


def split_halves(labels: Tensor, seed: int) -> Tensor:
    """For each image its half, 0 or 1 (``[n]``, on the CPU): even and odd places of a random order, class by class."""
    shuffled = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    order = shuffled[torch.sort(labels.cpu()[shuffled], stable=True).indices]
    halves = torch.empty(len(labels), dtype=torch.int64)
    halves[order] = torch.arange(len(labels)) % 2
    return halves


def half_scores(logits: Tensor, labels: Tensor, halves: Tensor) -> NDArray[np.float64]:
    """``[2, 2]``: for each half its accuracy and its mean cross-entropy (nats)."""
    losses = functional.cross_entropy(logits, labels, reduction="none")
    per_image = torch.stack([(logits.argmax(dim=1) == labels).float(), losses]).cpu().double().numpy()
    chosen = halves.numpy()
    return np.stack([per_image[:, chosen == half].mean(axis=1) for half in range(len(HALVES))])


def _in_parts(
    rows: Choices,
    numbers: Sequence[int],
    part_size: int,
    store: WorkStore | None,
    score: Callable[[Choices], Iterator[NDArray[np.float64]]],
    progress: str | None,
    line: int,
) -> dict[int, PartScores]:
    """Scores of these parts of the rows; those in the store are taken from there."""
    parts = {number: rows[number * part_size : (number + 1) * part_size] for number in numbers}
    finished = {number: _load_part(store, number, len(part)) for number, part in parts.items()}
    todo = [number for number, done in finished.items() if done is None]
    results = {number: done for number, done in finished.items() if done is not None}
    pending = np.concatenate([parts[number] for number in todo]) if todo else rows[:0]
    total = sum(map(len, parts.values()))
    # One walk over all that is missing: parts say when results are written, not what is shared.
    walk = score(pending)
    shown = progress_bar(
        desc=progress,
        total=total,
        initial=total - len(pending),
        unit="network",
        position=line,
        hidden=progress is None,
    )
    with shown as bar:
        for number in todo:
            started = time.perf_counter()
            scores = []
            for _ in range(len(parts[number])):
                scores.append(next(walk))
                bar.update()
            results[number] = (np.stack(scores), time.perf_counter() - started)
            _save_part(store, number, *results[number])
    return results


_SCORE_COLUMNS = tuple(f"{score}_{half}" for half in HALVES for score in ("accuracy", "log_loss"))


def _save_part(store: WorkStore | None, number: int, scores: NDArray[np.float64], seconds: float) -> None:
    if store is not None:
        table = pd.DataFrame(scores.reshape(len(scores), -1), columns=list(_SCORE_COLUMNS))
        store.save_table(f"part_{number:06d}", table.assign(seconds=seconds))


def _load_part(store: WorkStore | None, number: int, length: int) -> PartScores | None:
    table = None if store is None else store.load_table(f"part_{number:06d}")
    if table is None:
        return None
    scores = table[list(_SCORE_COLUMNS)].to_numpy(dtype=np.float64)
    return scores.reshape(length, len(HALVES), 2), float(table["seconds"].iloc[0])


def table_of(
    space: SearchSpace, choices: Choices, scores: NDArray[np.float64], halves: Tensor, seed: int
) -> pd.DataFrame:
    """The table of ``evaluate_subnets`` from scores ``[n, halves, 2]``, with the half of each image and the seed."""
    rows = space.validate(choices)
    accuracy, log_loss = scores[..., 0].reshape(-1), scores[..., 1].reshape(-1)
    images = np.tile(np.bincount(halves.numpy(), minlength=len(HALVES)), len(rows))
    return pd.DataFrame(
        {
            "architecture": np.repeat(space.names(rows), len(HALVES)),
            "network": np.repeat(space.names(space.canonicalise(rows)), len(HALVES)),
            "seed": np.full(len(accuracy), seed, dtype=np.int64),
            "half": np.tile(HALVES, len(rows)),
            "accuracy": accuracy,
            "log_loss": log_loss,
            "images": images.astype(np.int64),
            "source": np.full(len(accuracy), "supernet"),
            "noise": np.sqrt(accuracy * (1 - accuracy) / np.maximum(images, 1)),
        }
    )


def no_evaluations() -> pd.DataFrame:
    """The table of ``evaluate_subnets`` where there is no super-network."""
    types = {"architecture": "str", "network": "str", "seed": "int64", "half": "str", "accuracy": "float64"}
    types |= {"log_loss": "float64", "images": "int64", "source": "str", "noise": "float64"}
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in types.items()})
