"""Scores of the same subnets by several super-networks: side by side on a CPU, one after the other on a GPU.

An engine with many machines is given them part by part.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray
from torch import Tensor

from archatlas.engines.engine import Shares, side_by_side
from archatlas.images.dataset import ImageSplit, SplitArrays
from archatlas.images.description import ImageDescription
from archatlas.progress import progress_bar
from archatlas.spaces.protocol import Choices, SearchSpace
from archatlas.storage.work_store import WorkStore
from archatlas.supernet.evaluate import (
    EvaluationImages,
    EvaluationRun,
    PartScores,
    distinct_rows,
    evaluate_parts,
    parts_of,
    run_of,
)
from archatlas.supernet.make import load_supernet
from archatlas.supernet.parameters import EvaluationParameters
from archatlas.training.fabric import device_of_each, shares_of
from archatlas.training.parameters import DeviceParameters
from archatlas.training.weights import arrays_of, tensors_of

_BATCHES_PER_WORKER = 4
"""Of parts, where there are more workers than super-networks: so that the last one is waited for a quarter as long."""


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
    rows, back = distinct_rows(space, choices)
    parts = parts_of(len(rows), parameters)
    shares = evaluation_shares(device, len(supernets), len(rows), parameters)
    alike, batches = device_of_each(device, shares), _batches(parts, len(supernets), shares)
    told = progress and len(batches) == 1
    setting = _Setting(
        space, rows, description, parameters, alike, images_seed, work, len(supernets), told, not shares.here
    )
    weights = {number: arrays_of(state) for number, state in supernets.items()}
    given = weights, train.to_arrays(), validation.to_arrays(), setting
    jobs = [(number, batch) for batch in batches for number in supernets]
    done: dict[int, dict[int, PartScores]] = defaultdict(dict)
    shown: dict[str, Any] = {"total": len(rows) * len(supernets), "unit": "network", "hidden": told or not progress}
    with (
        progress_bar(desc="evaluations", **shown) as bar,
        side_by_side(_evaluate, jobs, *given, shares=shares) as results,
    ):
        for number, scores in results:
            done[number] |= scores
            bar.update(sum(len(one) for one, _ in scores.values()))
    images = EvaluationImages(train, validation, description, parameters, alike, images_seed)
    return [run_of(space, choices, back, done[number], images, number) for number in sorted(supernets)]


def evaluation_shares(device: DeviceParameters, supernets: int, rows: int, parameters: EvaluationParameters) -> Shares:
    """How the evaluation of so many different rows on so many super-networks is shared out."""
    return shares_of(device, supernets, divisible=parts_of(rows, parameters))


def _batches(parts: int, supernets: int, shares: Shares) -> list[range]:
    """The parts that are one task of a super-network: all of them, unless there are workers for more."""
    if shares.workers <= supernets:
        return [range(parts)]
    size = math.ceil(parts * supernets / (shares.workers * _BATCHES_PER_WORKER))
    return [range(start, min(start + size, parts)) for start in range(0, parts, size)]


@dataclass(frozen=True)
class _Setting:
    """What the evaluations on all super-networks have in common."""

    space: SearchSpace
    rows: Choices
    description: ImageDescription
    parameters: EvaluationParameters
    device: DeviceParameters
    images_seed: int
    work: WorkStore | None
    supernets: int
    progress: bool
    lines: bool
    """Whether each has a line of its own for its progress."""


def _evaluate(
    job: tuple[int, range],
    supernets: Mapping[int, Mapping[str, NDArray[Any]]],
    train: SplitArrays,
    validation: SplitArrays,
    setting: _Setting,
) -> tuple[int, dict[int, PartScores]]:
    """Number of a super-network and scores of some parts; runs in a worker where several go on at a time."""
    number, parts = job
    split = ImageSplit.from_arrays(train), ImageSplit.from_arrays(validation)
    images = EvaluationImages(*split, setting.description, setting.parameters, setting.device, setting.images_seed)
    title = f"evaluations on super-network {number + 1} of {setting.supernets}" if setting.progress else None
    line = number if setting.lines else 0
    supernet = load_supernet(setting.space, tensors_of(supernets[number]))
    return number, evaluate_parts(supernet, setting.space, setting.rows, parts, images, setting.work, title, line)
