"""Scores of the same subnets by several super-networks: side by side on a CPU, one after the other on a GPU."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from archatlas.images.dataset import ImageSplit, SplitArrays
from archatlas.images.description import ImageDescription
from archatlas.spaces.protocol import Choices, SearchSpace
from archatlas.storage.work_store import WorkStore
from archatlas.supernet.evaluate import EvaluationRun, evaluate_subnets
from archatlas.supernet.make import load_supernet
from archatlas.supernet.parameters import EvaluationParameters
from archatlas.training.fabric import cpu_shares
from archatlas.training.parameters import DeviceParameters
from archatlas.training.workers import side_by_side


def evaluate_on_all(
    supernets: Mapping[int, Mapping[str, Tensor]],
    space: SearchSpace,
    choices: Choices,
    *,
    train: ImageSplit,
    validation: ImageSplit,
    description: ImageDescription,
    parameters: EvaluationParameters,
    device: DeviceParameters,
    images_seed: int,
    work: WorkStore | None,
    progress: bool = True,
) -> list[EvaluationRun]:
    """``evaluate_subnets`` of every row by each super-network, in the order of their numbers.

    On a CPU ``device.workers`` of them are walked through at a time, with their share of the threads.

    Args:
        supernets: state dicts by number, which is the ``seed`` of the tables.
        space: of the super-networks.
        choices: rows to evaluate.
        train: calibration images are drawn from it.
        validation: what subnets are judged on.
        description: of the images.
        parameters: how they are judged.
        device: where.
        images_seed: draws the calibration images and the halves, the same for all super-networks.
        work: where finished parts are kept.
        progress: whether to show how far it is.
    """
    workers, threads = cpu_shares(device, len(supernets))
    alike = device.model_copy(update={"workers": None, "threads": device.threads if workers == 1 else None})
    setting = _Setting(
        space, choices, description, parameters, alike, images_seed, work, len(supernets), progress, workers > 1
    )
    images = train.to_arrays(), validation.to_arrays()
    jobs = [(number, {name: tensor.numpy() for name, tensor in supernets[number].items()}) for number in supernets]
    if workers == 1:
        runs = [_evaluate_one(job, *images, setting) for job in jobs]
    else:
        with side_by_side(_evaluate_one, jobs, *images, setting, workers=workers, threads=threads) as results:
            runs = list(results)
    return [run for _, run in sorted(runs, key=lambda numbered: numbered[0])]


@dataclass(frozen=True)
class _Setting:
    """What the evaluations on all super-networks have in common."""

    space: SearchSpace
    choices: Choices
    description: ImageDescription
    parameters: EvaluationParameters
    device: DeviceParameters
    images_seed: int
    work: WorkStore | None
    supernets: int
    progress: bool
    lines: bool
    """Whether each has a line of its own for its progress."""


def _evaluate_one(
    job: tuple[int, Mapping[str, NDArray[Any]]], train: SplitArrays, validation: SplitArrays, setting: _Setting
) -> tuple[int, EvaluationRun]:
    """Number and evaluations of a super-network; runs in a worker where several are evaluated on at a time."""
    number, weights = job
    run = evaluate_subnets(
        load_supernet(setting.space, {name: torch.from_numpy(np.array(array)) for name, array in weights.items()}),
        setting.space,
        setting.choices,
        train=ImageSplit.from_arrays(train),
        validation=ImageSplit.from_arrays(validation),
        description=setting.description,
        parameters=setting.parameters,
        device=setting.device,
        seed=number,
        work=setting.work,
        images_seed=setting.images_seed,
        progress=f"evaluations on super-network {number + 1} of {setting.supernets}" if setting.progress else None,
        progress_line=number if setting.lines else 0,
    )
    return number, run
