"""The evaluated sample as a batch and its scores: what fitting and tuning begin with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.errors import ArchatlasError
from archatlas.graphs.architecture_graphs import ArchitectureGraphs
from archatlas.predictors.scores import NetworkScores, Target, network_scores
from archatlas.spaces.protocol import SearchSpace


def evaluated_sample(
    space: SearchSpace,
    architecture_graphs: Mapping[str, Any],
    evaluations: pd.DataFrame,
    cost_table: pd.DataFrame | None,
    target: Target,
    *,
    fewest: int,
    proxies: pd.DataFrame | None = None,
) -> tuple[ArchitectureBatch, NetworkScores]:
    """A batch with a row per network of ``architecture_graphs`` (arrays or tensors), and the networks' scores.

    ``proxies`` are scores without training by network, a column each; the batch has NaN for networks without.

    Raises ArchatlasError if there are fewer than ``fewest`` networks.
    """
    arrays = {name: np.asarray(value) for name, value in architecture_graphs.items()}
    count = len(arrays["choices"])
    if count < fewest:
        raise ArchatlasError(
            f"predictors need at least {fewest} evaluated networks, but there are {count}: raise `sample.architectures`"
        )
    graphs = ArchitectureGraphs(arrays["features"], arrays["adjacency"].astype(bool), arrays["mask"].astype(bool))
    batch = ArchitectureBatch(space, space.validate(arrays["choices"]), cost_table=cost_table, graphs=graphs)
    names = [str(name) for name in space.names(batch.choices)]
    if proxies is not None:
        batch = batch.with_proxies(proxies.reindex(names).reset_index(drop=True))
    return batch, network_scores(evaluations, names, target)
