"""Training of super-networks, one per seed: side by side on a CPU, one after the other on a GPU."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from archatlas.engines.engine import side_by_side
from archatlas.errors import ArchatlasError
from archatlas.images.dataset import ImageSplit, SplitArrays
from archatlas.images.description import ImageDescription
from archatlas.spaces.protocol import SearchSpace
from archatlas.spaces.scaled_chains import ScaledChains
from archatlas.storage.work_store import WorkStore
from archatlas.supernet.largest_first import begin_as_slices, largest_paths, slices_of
from archatlas.supernet.make import make_supernet
from archatlas.supernet.parameters import SupernetParameters
from archatlas.supernet.protocol import Supernet
from archatlas.supernet.strategies.make import make_strategy
from archatlas.supernet.warm_start import WarmStart, begin_with, read_start
from archatlas.training.fabric import device_of_each, shares_of
from archatlas.training.loop import DivergedError, train
from archatlas.training.parameters import DeviceParameters
from archatlas.training.seeds import mixed_seed
from archatlas.training.weights import arrays_of, tensors_of

_log = logging.getLogger(__name__)

CURVE_COLUMNS = ("seed", "epoch", "loss", "accuracy", "learning_rate")

_FIRST = 0
"""Names the random stream of the largest path's training."""


def train_supernets(
    space: SearchSpace,
    images: ImageSplit,
    description: ImageDescription,
    *,
    parameters: SupernetParameters,
    device: DeviceParameters,
    seed: int,
    work: WorkStore | None,
    progress: bool = True,
    start: Sequence[Path] = (),
) -> tuple[dict[str, dict[str, Tensor]], pd.DataFrame]:
    """State dicts ``seed_0``, ``seed_1``, ... and their learning curves (columns ``CURVE_COLUMNS``).

    A curve begins with the epochs of the largest path alone, where there are such. Super-network ``i`` depends on
    (``seed``, i), by its first weights, its order of images and its paths, and on its size of images. Each seed has its
    own checkpoints in ``work``. On a CPU ``device.workers`` of them train at a time, with their share of the
    threads. With ``start``, files of other super-networks' weights, super-network ``i`` begins with those of file ``i``
    modulo their number (:mod:`archatlas.supernet.warm_start`). Raises ArchatlasError if the space does not suit the
    strategy, has no largest path or is not that of the weights to start from.
    """
    if isinstance(space, ScaledChains) and parameters.image_sizes is not None:
        raise ArchatlasError(
            f"`supernet.image_sizes` is {list(parameters.image_sizes)}, but every super-network already sees images at "
            f"the sizes {list(space.image_sizes)} that `space` searches: set it to null"
        )
    shares, numbers = shares_of(device, parameters.seeds), range(parameters.seeds)
    alike = device_of_each(device, shares)
    files = tuple(start[number % len(start)] for number in numbers) if start else ()
    # Here, so that it is said, or refused, once and before any training; and other machines need not have the files.
    starts = {file: arrays_of(read_start(file)) for file in dict.fromkeys(files)}
    for file, weights in starts.items():
        begun = _begin(make_supernet(space, torch.Generator().manual_seed(0)), space, file, weights)
        _log.info("super-networks begin with the weights of %s: %s", os.path.relpath(file), begun)
    setting = _Setting(space, description, parameters, alike, seed, work, progress, files, lines=not shares.here)
    with side_by_side(_train_one, numbers, images.to_arrays(), starts, setting, shares=shares) as results:
        trained = sorted(results, key=lambda result: result[0])
    supernets = {f"seed_{number}": tensors_of(weights) for number, weights, _ in trained}
    curves = [pd.DataFrame(curve).assign(seed=number) for number, _, curve in trained]
    return supernets, pd.concat(curves, ignore_index=True)[list(CURVE_COLUMNS)]


_Starts: TypeAlias = Mapping[Path, Mapping[str, NDArray[Any]]]
"""Weights to begin with, by the file that they were read from."""


@dataclass(frozen=True)
class _Setting:
    """What all super-networks of a run have in common."""

    space: SearchSpace
    description: ImageDescription
    parameters: SupernetParameters
    device: DeviceParameters
    seed: int
    work: WorkStore | None
    progress: bool
    start: tuple[Path, ...]
    """A file of weights to begin with for each super-network, or none."""
    lines: bool
    """Whether each has a line of its own for its progress."""


def _train_one(
    number: int, images: SplitArrays, starts: _Starts, setting: _Setting
) -> tuple[int, dict[str, NDArray[Any]], list[dict[str, float]]]:
    """Number, weights and learning curve of a super-network; runs in a worker where several train at a time."""
    try:
        return number, *_trained(number, images, starts, setting)
    except DivergedError as error:
        raise ArchatlasError(
            f"super-network {number + 1} of {setting.parameters.seeds}: {error} (`supernet.training`)"
        ) from error


def _trained(
    number: int, images: SplitArrays, starts: _Starts, setting: _Setting
) -> tuple[dict[str, NDArray[Any]], list[dict[str, float]]]:
    parameters, own_seed = setting.parameters, mixed_seed(setting.seed, number)
    supernet = make_supernet(setting.space, torch.Generator().manual_seed(own_seed))
    if setting.start:
        file = setting.start[number]
        _begin(supernet, setting.space, file, starts[file])
    prepared = setting.description.image_size
    size = parameters.image_size(number, prepared)
    supernet.image_size.fill_(size)
    split = ImageSplit.from_arrays(images)
    train_it = partial(
        train,
        supernet,
        split.at(size),
        setting.description,
        augmentation=parameters.augmentation.scaled(size / prepared),
        device=setting.device,
        checkpoints=setting.work,
        progress_line=number if setting.lines else 0,
    )
    title = f"super-network {number + 1} of {parameters.seeds}" if setting.progress else None
    curve: list[dict[str, float]] = []
    first = parameters.largest_first_epochs
    if first:
        largest = largest_paths(setting.space)
        slices = slices_of(supernet, largest.paths[-1])
        curve = train_it(
            training=parameters.training.model_copy(update={"epochs": first}),
            seed=mixed_seed(own_seed, _FIRST),
            paths=largest,
            progress=title and f"largest path of {title}",
        )
        begin_as_slices(slices)
    paths = make_strategy(setting.space, parameters)
    then = train_it(training=parameters.training, seed=own_seed, paths=paths, progress=title)
    curve += [{**row, "epoch": first + row["epoch"]} for row in then]
    return arrays_of(supernet.state_dict()), curve


def _begin(supernet: Supernet, space: SearchSpace, file: Path, arrays: Mapping[str, NDArray[Any]]) -> WarmStart:
    return begin_with(supernet, tensors_of(arrays), space=space.name, origin=os.path.relpath(file))
