"""The node that draws architectures."""

from typing import Any

import pandas as pd

from archatlas.kedro_ext.dependencies import depends_on
from archatlas.pipelines.space import public_table, searched_space
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
) -> pd.DataFrame:
    """A table of network, architecture, macs, params."""
    from archatlas.supernet.sample import sample_architectures

    return sample_architectures(searched_space(image_description, space, table), sample, seed, cost_table)
