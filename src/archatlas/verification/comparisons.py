"""What stands beside a winner: random networks within the same budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from archatlas.costs.constraints import Constraint, satisfied
from archatlas.costs.table import costs_of
from archatlas.spaces.protocol import SearchSpace

_PER_DRAW, _DRAWS = 50_000, 20


def random_networks(
    space: SearchSpace,
    constraints: Mapping[str, Sequence[Constraint]],
    count: int,
    generator: np.random.Generator,
    cost_table: pd.DataFrame | None = None,
    latency_table: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """``count`` networks per budget, uniform among those that keep it: budget, network, macs, params.

    All budgets filter the same draws, so a network within two budgets can stand in both, and is trained once. Latency
    is the predicted one. A space of at most 50,000 networks is looked through completely; in a larger one a
    million draws are, and a budget that few networks keep may get fewer than ``count``.
    """
    found: dict[str, list[pd.DataFrame]] = {budget: [] for budget in constraints}
    missing = dict.fromkeys(constraints, count)
    seen: set[str] = set()
    for _ in range(1 if space.networks <= _PER_DRAW else _DRAWS):
        if not any(missing.values()):
            break
        choices = space.sample(min(space.networks, _PER_DRAW), generator)
        costs = costs_of(space, choices, cost_table, latency_table)
        for budget, bounds in constraints.items():
            rows = np.flatnonzero(satisfied(costs, bounds))[: missing[budget] + len(seen)]
            names = space.names(choices[rows])
            fresh = [place for place, name in enumerate(names) if f"{budget} {name}" not in seen][: missing[budget]]
            seen.update(f"{budget} {names[place]}" for place in fresh)
            missing[budget] -= len(fresh)
            part = costs.iloc[rows[fresh]].reset_index(drop=True)[["macs", "params"]]
            part.insert(0, "network", pd.Series(names[fresh], dtype="str"))
            part.insert(0, "budget", budget)
            found[budget].append(part)
    empty = pd.DataFrame({"budget": [], "network": [], "macs": [], "params": []}).astype(
        {"budget": "str", "network": "str", "macs": "int64", "params": "int64"}
    )
    return pd.concat([empty, *(part for parts in found.values() for part in parts)], ignore_index=True)
