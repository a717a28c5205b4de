"""The node that trains super-networks."""

from pathlib import Path
from typing import Any

import pandas as pd

from archatlas.images.description import ImageDescription
from archatlas.kedro_ext.dependencies import depends_on
from archatlas.pipelines.start_from import files_of_start, start_of_supernets
from archatlas.pipelines.work import work_store
from archatlas.schedule.overlay import scheduled
from archatlas.spaces.tables.parameters import TableParameters
from archatlas.supernet.parameters import SupernetParameters
from archatlas.training.parameters import DeviceParameters


@depends_on(files=(start_of_supernets,))
def train_supernet(
    train_images: dict[str, Any],
    image_description: dict[str, Any],
    budgets_checked: dict[str, Any],
    sizes_checked: dict[str, Any],
    search_space: dict[str, Any],
    supernet: SupernetParameters,
    device: DeviceParameters,
    seed: int,
    work_folder: Path,
    table: TableParameters | None = None,
    supernet_schedule: dict[str, Any] | None = None,
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Super-networks by seed (state dicts ``seed_0``, ...) and their learning curves.

    ``budgets_checked`` and ``sizes_checked`` are not used: asking for them keeps training from starting before budgets
    and sizes of images are known to be possible, and their content is the same for all possible ones, so that another
    budget trains nothing anew. With a public table there is nothing to train.
    """
    from archatlas.supernet.train import CURVE_COLUMNS, train_supernets

    if table is not None:
        return {}, pd.DataFrame({column: pd.Series(dtype="float64") for column in CURVE_COLUMNS})
    from archatlas.images.dataset import ImageSplit
    from archatlas.spaces.search_space import read_space

    return train_supernets(
        read_space(search_space),
        ImageSplit.from_tensors(train_images),
        ImageDescription.model_validate(image_description),
        parameters=scheduled(supernet, supernet_schedule),
        device=device,
        seed=seed,
        work=work_store(work_folder, "archatlas.supernet.train"),
        start=files_of_start(supernet.start_from),
    )
