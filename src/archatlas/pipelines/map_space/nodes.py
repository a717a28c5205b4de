"""The node that predicts every network."""

from pathlib import Path
from typing import Any

import pandas as pd

from archatlas.images.description import ImageDescription
from archatlas.predictors.parameters import AtlasParameters
from archatlas.spaces.parameters import SpaceParameters


def map_networks(
    tuned_predictor: dict[str, Any],
    tuned_predictor_state: dict[str, Any],
    image_description: dict[str, Any],
    cost_table: pd.DataFrame,
    latency_table: pd.DataFrame,
    space: SpaceParameters,
    atlas: AtlasParameters,
    seed: int,
    work_folder: Path,
) -> tuple[Any, dict[str, Any]]:
    """The atlas in chunks, for a data set that streams; and how fast it was made.

    It is written to the work folder first, so that its speed is known when this node ends and memory stays bounded.
    """
    from archatlas.predictors.atlas import atlas_rows, map_space, write_atlas
    from archatlas.predictors.registry import load_predictor
    from archatlas.spaces.presets import make_space

    description = ImageDescription.model_validate(image_description)
    made = make_space(space, description.input_shape, description.num_classes)
    predictor = load_predictor(tuned_predictor, tuned_predictor_state)
    target = tuned_predictor["target"]
    chunks = map_space(predictor, made, cost_table, latency_table, parameters=atlas, target=target, seed=seed)
    return write_atlas(chunks, work_folder / "map_space" / "atlas.parquet", atlas_rows(made, atlas))
