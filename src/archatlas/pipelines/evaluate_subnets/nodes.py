"""The node that scores subnets."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from archatlas.images.description import ImageDescription
from archatlas.kedro_ext.dependencies import depends_on
from archatlas.pipelines.space import public_table
from archatlas.pipelines.work import work_store
from archatlas.spaces.parameters import SpaceParameters
from archatlas.spaces.tables.parameters import TableParameters
from archatlas.supernet.parameters import EvaluationParameters
from archatlas.training.parameters import DeviceParameters


@depends_on(files=(public_table,))
def evaluate(
    supernets: dict[str, Callable[[], dict[str, Any]]],
    sampled_architectures: pd.DataFrame,
    train_images: dict[str, Any],
    validation_images: dict[str, Any],
    image_description: dict[str, Any],
    space: SpaceParameters,
    evaluation: EvaluationParameters,
    device: DeviceParameters,
    seed: int,
    work_folder: Path,
    table: TableParameters | None = None,
) -> tuple[pd.DataFrame, dict[str, float]]:
    """The table of evaluations, super-network by super-network in the sample's order; and how fast it was made.

    Of a public table, what it says of the sample, a row for each training that it has.
    """
    if table is not None:
        from archatlas.spaces.tables.known import known_networks

        return known_networks(table).timed_evaluations(sampled_architectures["network"].drop_duplicates().tolist())
    from archatlas.images.dataset import ImageSplit
    from archatlas.spaces.presets import make_space
    from archatlas.supernet.evaluate import timed_evaluation
    from archatlas.supernet.make import load_supernet

    description = ImageDescription.model_validate(image_description)
    made = make_space(space, description.input_shape, description.num_classes)
    choices = made.parse(sampled_architectures["architecture"].to_numpy(dtype=str))
    numbers = sorted(int(name.removeprefix("seed_")) for name in supernets)
    work = work_store(work_folder, "archatlas.supernet.evaluate")
    runs = [
        timed_evaluation(
            load_supernet(made, supernets[f"seed_{number}"]()),
            made,
            choices,
            train=ImageSplit.from_tensors(train_images),
            validation=ImageSplit.from_tensors(validation_images),
            description=description,
            parameters=evaluation,
            device=device,
            seed=number,
            work=work,
            images_seed=seed,
            progress=f"evaluations on super-network {number + 1} of {len(numbers)}",
        )
        for number in numbers
    ]
    seconds = sum(run.seconds for run in runs)
    count = len(choices) * len(runs)
    speed = {"architectures": count, "seconds": seconds, "architectures_per_second": count / max(seconds, 1e-9)}
    return pd.concat([run.table for run in runs], ignore_index=True), speed
