"""The node that predicts every network."""

from pathlib import Path
from typing import Any

import pandas as pd

from archatlas.pipelines.map_space.spans import folder_of_spans
from archatlas.pipelines.space import searched_space
from archatlas.pipelines.work import work_store
from archatlas.predictors.parameters import AtlasParameters
from archatlas.storage.work_store import WorkStore
from archatlas.verification.parameters import CalibrationParameters


def map_networks(
    calibrated_predictor: dict[str, Any],
    calibrated_predictor_state: dict[str, Any],
    cost_table: pd.DataFrame,
    latency_table: pd.DataFrame,
    search_space: dict[str, Any],
    atlas: AtlasParameters,
    seed: int,
    work_folder: Path,
    calibration: CalibrationParameters | None = None,
) -> tuple[Any, dict[str, Any]]:
    """The atlas in chunks, for a data set that streams; and how fast it was made.

    It is written to the work folder first, so that its speed is known when this node ends and memory stays bounded. A
    large one is kept there span by span until it stands among the results (``spans.py``).
    """
    from archatlas.predictors.atlas import atlas_rows, map_space, write_atlas
    from archatlas.predictors.make import load_predictor

    made = searched_space(search_space)
    chunks = map_space(
        load_predictor(calibrated_predictor, calibrated_predictor_state, made),
        made,
        cost_table,
        latency_table,
        parameters=atlas,
        target=calibrated_predictor["target"],
        seed=seed,
        alone=search_space["known"] is not None or calibration is not None,
        work=spans_in(work_folder).task(
            "atlas",
            calibrated_predictor,
            calibrated_predictor_state,
            search_space,
            *(table.to_csv() for table in (cost_table, latency_table)),
            atlas,
            seed,
        ),
    )
    return write_atlas(chunks, folder_of_spans(work_folder) / "atlas.parquet", atlas_rows(made, atlas))


def spans_in(work_folder: Path) -> WorkStore:
    """Finished spans of a large atlas."""
    makers = ("archatlas.predictors.atlas", "archatlas.predictors.make", "archatlas.spaces.tables.registry")
    return work_store(folder_of_spans(work_folder), *makers)
