"""The meta-graph over the time of a search, as its draws and scores tell it again."""

from __future__ import annotations

import numpy as np
import pandas as pd

from archatlas.spaces.protocol import SearchSpace
from archatlas.systems.gram.complete_graph import complete_graph_of
from archatlas.systems.gram.meta_graph import Floats
from archatlas.systems.gram.method import DRAWN, Gram, unpacked

HISTORY = ["budget", "seed", "networks", "cell", "source", "target", "weight"]
"""A row for each edge and time: the weight after so many networks that were scored. The source 0 is a cell's input."""

_TIMES = 40


def weights_over_time(visited: pd.DataFrame, method: Gram, edges: int) -> Floats:
    """Weights after each network of one search that has a score, the first before any: ``[1 + networks, edges]``."""
    known = visited.dropna(subset="score")
    scores = known["score"].tolist()
    weights = [method.learning.begin(edges)]
    for number, drawn in enumerate(unpacked(known[DRAWN], edges), start=1):
        weights.append(method.learning.step(weights[-1], drawn, scores[:number]))
    return np.array(weights)


def history_of(visited: pd.DataFrame, method: Gram, space: SearchSpace) -> pd.DataFrame:
    """``HISTORY`` of the first search of each budget (columns budget, seed, ``account.VISITED``, drawn).

    Of at most 40 times, spread evenly, the first and the last among them.
    """
    graph, parts = complete_graph_of(space), []
    if graph is not None and DRAWN in visited:
        edges = pd.DataFrame(graph.edges, columns=["cell", "source", "target"])
        first = visited[visited["seed"] == visited["seed"].min()]
        for budget, own in first.groupby("budget", sort=False):
            weights = weights_over_time(own, method, len(edges))
            times = np.unique(np.linspace(0, len(weights) - 1, min(_TIMES, len(weights))).astype(int))
            parts += [
                edges.assign(budget=str(budget), seed=own["seed"].iloc[0], networks=time, weight=weights[time])[HISTORY]
                for time in times
            ]
    types = {"budget": "str", "weight": "float64"}
    empty = pd.DataFrame({name: pd.Series(dtype=types.get(name, "int64")) for name in HISTORY})
    return pd.concat(parts, ignore_index=True) if parts else empty
