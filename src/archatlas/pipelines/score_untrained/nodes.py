"""The node that scores networks without training."""

from pathlib import Path
from typing import Any

import pandas as pd

from archatlas.images.description import ImageDescription
from archatlas.kedro_ext.dependencies import depends_on
from archatlas.pipelines.space import public_table, searched_space
from archatlas.pipelines.work import work_store
from archatlas.scores.parameters import ScoreParameters
from archatlas.spaces.parameters import SpaceParameters
from archatlas.spaces.tables.parameters import TableParameters
from archatlas.training.parameters import DeviceParameters


@depends_on(files=(public_table,))
def score(
    sampled_architectures: pd.DataFrame,
    train_images: dict[str, Any],
    image_description: dict[str, Any],
    cost_table: pd.DataFrame,
    space: SpaceParameters,
    scores: ScoreParameters,
    device: DeviceParameters,
    seed: int,
    work_folder: Path,
    table: TableParameters | None = None,
) -> pd.DataFrame:
    """Scores at initialisation of every sampled network, beside its MACs and params, and what defines them."""
    from archatlas.images.dataset import ImageSplit
    from archatlas.scores.score import score_networks

    made = searched_space(image_description, space, table)
    names = sampled_architectures["network"].drop_duplicates().to_numpy(dtype=str)
    return score_networks(
        made,
        made.parse(names),
        train=ImageSplit.from_tensors(train_images),
        description=ImageDescription.model_validate(image_description),
        parameters=scores,
        device=device,
        seed=seed,
        cost_table=cost_table,
        work=work_store(work_folder, "archatlas.scores.score"),
        progress="untrained networks",
    )
