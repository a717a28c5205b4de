"""The node that scores networks without training."""

from pathlib import Path
from typing import Any

import pandas as pd

from archatlas.images.description import ImageDescription
from archatlas.pipelines.space import searched_space
from archatlas.pipelines.work import work_store
from archatlas.scores.parameters import ScoreParameters
from archatlas.storage.work_store import WorkStore
from archatlas.training.parameters import DeviceParameters


def score(
    sampled_architectures: pd.DataFrame,
    train_images: dict[str, Any],
    image_description: dict[str, Any],
    cost_table: pd.DataFrame,
    search_space: dict[str, Any],
    scores: ScoreParameters,
    device: DeviceParameters,
    seed: int,
    work_folder: Path,
) -> pd.DataFrame:
    """Scores at initialisation of every sampled network, beside its MACs and params, and what defines them."""
    from archatlas.images.dataset import ImageSplit
    from archatlas.scores.score import score_networks

    made = searched_space(search_space)
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
        work=scores_in(work_folder),
        progress="untrained networks",
    )


def scores_in(work_folder: Path) -> WorkStore:
    """Scores without training that were made already."""
    return work_store(work_folder, "archatlas.scores.score", "archatlas.spaces.tables.registry")
