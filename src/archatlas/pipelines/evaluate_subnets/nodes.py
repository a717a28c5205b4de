"""The node that scores subnets."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from archatlas.images.description import ImageDescription
from archatlas.kedro_ext.dependencies import depends_on
from archatlas.pipelines.space import public_table
from archatlas.pipelines.work import work_store
from archatlas.spaces.tables.parameters import TableParameters
from archatlas.supernet.parameters import EvaluationParameters
from archatlas.training.parameters import DeviceParameters

_LOGGER = logging.getLogger(__name__)


@depends_on(files=(public_table,))
def evaluate(
    supernets: dict[str, Callable[[], dict[str, Any]]],
    sampled_architectures: pd.DataFrame,
    train_images: dict[str, Any],
    validation_images: dict[str, Any],
    image_description: dict[str, Any],
    class_counts: pd.DataFrame,
    search_space: dict[str, Any],
    evaluation: EvaluationParameters,
    device: DeviceParameters,
    seed: int,
    work_folder: Path,
    table: TableParameters | None = None,
    supernet_schedule: dict[str, Any] | None = None,
) -> tuple[pd.DataFrame, dict[str, float], pd.DataFrame]:
    """Evaluations of the sample, super-network by super-network in its order; how fast; and those of the whole space.

    Of a public table, what it says of the sample, a row for each training that it has. The last table is empty where
    ``evaluation.whole_space`` asks for none; the sample's evaluations are among it, so that nothing is scored twice.
    """
    if table is not None:
        from archatlas.spaces.tables.known import known_networks

        networks = sampled_architectures["network"].drop_duplicates().tolist()
        found, speed = known_networks(table).timed_evaluations(networks)
        return found, speed, found.iloc[:0]
    from archatlas.images.dataset import ImageSplit
    from archatlas.signals.signal import given, log_signals
    from archatlas.signals.supernet import near_majority
    from archatlas.spaces.search_space import read_space
    from archatlas.supernet.evaluate_all import evaluate_on_all, evaluation_shares
    from archatlas.supernet.make import in_order
    from archatlas.supernet.whole_space import joined_rows, rows_of, whole_space

    description = ImageDescription.model_validate(image_description)
    made = read_space(search_space)
    sampled = sampled_architectures["architecture"].to_numpy(dtype=str)
    choices, whole = made.parse(sampled), sampled[:0]
    if evaluation.whole_space != "none":
        every = whole_space(made, twins=evaluation.whole_space == "architectures")
        choices, whole = joined_rows(every, choices), made.names(every)
    work = work_store(work_folder, "archatlas.supernet.evaluate_all")
    runs = evaluate_on_all(
        {number: weights() for number, weights in in_order(supernets).items()},
        made,
        choices,
        train=ImageSplit.from_tensors(train_images),
        validation=ImageSplit.from_tensors(validation_images),
        description=description,
        parameters=evaluation,
        device=device,
        images_seed=seed,
        work=work,
    )
    workers = evaluation_shares(device, len(runs), len(choices), evaluation).workers
    seconds = sum(run.seconds for run in runs) / workers  # Each has a clock of its own, and so many run at a time.
    count = len(choices) * len(runs)
    speed = {"architectures": count, "seconds": seconds, "architectures_per_second": count / max(seconds, 1e-9)}
    tables = [run.table for run in runs]
    of_sample, of_space = (
        pd.concat([rows_of(one, names) for one in tables], ignore_index=True) for names in (sampled, whole)
    )
    log_signals(_LOGGER, given(near_majority(of_sample, class_counts, scheduled=bool(supernet_schedule))))
    return of_sample, speed, of_space


@depends_on(files=(public_table,))
def evaluate_sample(
    supernets: dict[str, Callable[[], dict[str, Any]]],
    sampled_architectures: pd.DataFrame,
    train_images: dict[str, Any],
    validation_images: dict[str, Any],
    image_description: dict[str, Any],
    class_counts: pd.DataFrame,
    search_space: dict[str, Any],
    evaluation: EvaluationParameters,
    device: DeviceParameters,
    seed: int,
    work_folder: Path,
    table: TableParameters | None = None,
    supernet_schedule: dict[str, Any] | None = None,
) -> tuple[pd.DataFrame, dict[str, float]]:
    """Evaluations of the sample alone and how fast, whatever ``evaluation.whole_space`` asks for."""
    alone = evaluation.model_copy(update={"whole_space": "none"})
    images = train_images, validation_images, image_description, class_counts
    evaluations, speed, _ = evaluate(
        supernets,
        sampled_architectures,
        *images,
        search_space,
        alone,
        device,
        seed,
        work_folder,
        table,
        supernet_schedule,
    )
    return evaluations, speed
