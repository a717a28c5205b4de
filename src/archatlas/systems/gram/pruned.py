"""What a search would prune: its best network without the edges that its meta-graph came to weigh least."""

from __future__ import annotations

import numpy as np
import pandas as pd

from archatlas.costs.constraints import Constraint
from archatlas.errors import ArchatlasError
from archatlas.spaces.protocol import SearchSpace
from archatlas.spaces.wired_cells import WiredCells
from archatlas.systems.gram.history import weights_over_time
from archatlas.systems.gram.method import DRAWN, Gram, unpacked
from archatlas.systems.gram.pruning import prune_lightest
from archatlas.systems.problem import Problem

PRUNED = ["budget", "network", "score", "macs", "params", "pruned", "pruned_macs", "pruned_params"]
"""The best network of a budget's first search, as it was drawn, and what is left of it; nothing of that is trained."""

SHARE = 0.8
"""Of the network's MACs as many are left, at most."""


def pruned_best(visited: pd.DataFrame, method: Gram, space: SearchSpace) -> pd.DataFrame:
    """``PRUNED`` for each budget; no row of a space of other cells, nor where no edge can go.

    Args:
        visited: columns budget, seed, ``account.VISITED``, drawn.
        method: that searched.
        space: that it searched.
    """
    rows = []
    if isinstance(space, WiredCells) and DRAWN in visited:
        first = visited[visited["seed"] == visited["seed"].min()].dropna(subset="score")
        for budget, own in first.groupby("budget", sort=False):
            weights = weights_over_time(own, method, len(space.edges))[-1]
            best = own.loc[own["score"].idxmax()]
            row = unpacked([best[DRAWN]], len(space.edges))[0].astype(np.int8)
            problem = Problem(space, [Constraint("macs", "max", SHARE * best["macs"])])
            try:
                pruned = prune_lightest(problem, row, weights)[None]
            except ArchatlasError:
                continue  # Its cells use no more vertices than they must.
            costs = problem.costs(space.canonicalise(pruned)).iloc[0]
            names = space.names(space.rows(space.reads(np.stack([row, pruned[0]]))))
            kept = (best["score"], best["macs"], best["params"])
            rows.append((str(budget), names[0], *kept, names[1], costs["macs"], costs["params"]))
    types = dict.fromkeys(("budget", "network", "pruned"), "str") | {"score": "float64"}
    return pd.DataFrame(rows, columns=PRUNED).astype({name: types.get(name, "int64") for name in PRUNED})
