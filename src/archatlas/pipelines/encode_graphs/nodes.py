"""The node that turns the sample into graphs."""

from typing import Any

import pandas as pd


def encode(sampled_architectures: pd.DataFrame, search_space: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Choices and graphs of the sampled networks, in order of first appearance; and the names of the node features."""
    import numpy as np
    import torch

    from archatlas.spaces.search_space import read_space

    made = read_space(search_space)
    choices = made.parse(sampled_architectures["network"].drop_duplicates().to_numpy(dtype=str))
    graphs = made.graphs(choices)
    arrays = {
        "choices": choices,
        "features": graphs.features,
        "adjacency": graphs.adjacency.astype(np.uint8),
        "mask": graphs.mask.astype(np.uint8),
    }
    return {name: torch.from_numpy(array) for name, array in arrays.items()}, {"names": list(made.graph_features)}
