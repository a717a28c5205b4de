"""The node that draws architectures."""

from typing import Any

import pandas as pd

from archatlas.kedro_ext.dependencies import depends_on
from archatlas.pipelines.space import public_table, searched_space
from archatlas.schedule.overlay import scheduled
from archatlas.spaces.parameters import SpaceParameters
from archatlas.spaces.tables.parameters import TableParameters
from archatlas.supernet.parameters import SampleParameters


@depends_on(files=(public_table,))
def sample(
    image_description: dict[str, Any],
    cost_table: pd.DataFrame,
    space: SpaceParameters,
    sample: SampleParameters,
    seed: int,
    table: TableParameters | None = None,
    sample_schedule: dict[str, Any] | None = None,
) -> pd.DataFrame:
    """A table of network, architecture, macs, params."""
    from archatlas.supernet.sample import sample_architectures

    made = searched_space(image_description, space, table)
    return sample_architectures(made, scheduled(sample, sample_schedule), seed, cost_table)
