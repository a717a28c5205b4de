"""The node that draws architectures."""

from typing import Any

import pandas as pd

from archatlas.pipelines.space import searched_space
from archatlas.schedule.overlay import scheduled
from archatlas.supernet.parameters import SampleParameters


def sample(
    cost_table: pd.DataFrame,
    search_space: dict[str, Any],
    sample: SampleParameters,
    seed: int,
    sample_schedule: dict[str, Any] | None = None,
) -> pd.DataFrame:
    """A table of network, architecture, macs, params."""
    from archatlas.supernet.sample import sample_architectures

    made = searched_space(search_space)
    return sample_architectures(made, scheduled(sample, sample_schedule), seed, cost_table)
