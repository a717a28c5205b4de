"""Which architectures are evaluated."""

from __future__ import annotations

import numpy as np
import pandas as pd

from archatlas.costs.table import costs_of
from archatlas.spaces.protocol import Choices, HasTwins, SearchSpace
from archatlas.supernet.parameters import SampleParameters


def sample_architectures(
    space: SearchSpace, parameters: SampleParameters, seed: int, cost_table: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Networks drawn uniformly without repeats, each in ``twins_per_network`` spellings drawn without repeats.

    Columns: network (canonical name), architecture (name as spelled), macs, params. Networks are in the order drawn.
    ArchatlasError if the space has fewer networks than asked for.
    """
    generator = np.random.default_rng(seed)
    networks = space.sample(parameters.architectures, generator)
    spelled = [_spellings(space, row, parameters.twins_per_network, generator) for row in networks]
    rows = np.concatenate(spelled)
    costs = costs_of(space, rows, cost_table)
    return pd.DataFrame(
        {
            "network": np.repeat(space.names(networks), [len(part) for part in spelled]),
            "architecture": space.names(rows),
            "macs": costs["macs"].to_numpy(),
            "params": costs["params"].to_numpy(),
        }
    )


def _spellings(space: SearchSpace, row: Choices, count: int, generator: np.random.Generator) -> Choices:
    return space.draw_twins(row, count, generator) if isinstance(space, HasTwins) else row[None]
