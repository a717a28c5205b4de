"""Whether bounds on several costs can be kept at once in chains too many to be listed: an integer program each."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd

from archatlas.costs.constraints import COST_COLUMNS, Constraint, satisfied
from archatlas.costs.table import costs_of, of_member, part_costs
from archatlas.spaces.protocol import ChainLike


def chain_keeps(
    chain: ChainLike,
    constraints: Sequence[Constraint],
    cost_table: pd.DataFrame,
    latency_table: pd.DataFrame | None,
    label: str = "",
) -> bool | None:
    """Whether a network of a chain keeps all bounds at once; None if the solver cannot tell.

    Each position holds one choice, and each cost is a sum over positions, so that bounds are linear in the choices: a
    multiple-choice knapsack with several capacities, which HiGHS (by SciPy) solves to the end.

    Args:
        chain: whose positions choose freely.
        constraints: the bounds.
        cost_table: counted parts.
        latency_table: latency of parts; None or empty where no bound is on latency.
        label: of the chain among the members of a family.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp

    tables = {cost: latency_table if cost == "latency_ms" else cost_table for cost in COST_COLUMNS}
    sizes = chain.num_choices
    starts = np.concatenate([[0], np.cumsum(sizes)])
    one_each = np.zeros((len(sizes), starts[-1]))
    for position, (start, stop) in enumerate(itertools.pairwise(starts)):
        one_each[position, start:stop] = 1
    rows, lower, upper = [], [], []
    for bound in constraints:
        table = tables[bound.cost]
        assert table is not None
        parts = part_costs(of_member(table, label), bound.cost, chain)
        # In units of the limit, so that the solver's tolerance is a relative one.
        scale = abs(bound.limit) or 1.0
        rows.append(np.concatenate(parts.blocks) / scale)
        left = (bound.limit - float(parts.fixed)) / scale
        lower.append(left if bound.bound == "min" else -np.inf)
        upper.append(left if bound.bound == "max" else np.inf)
    solved = milp(
        np.zeros(starts[-1]),
        integrality=np.ones(starts[-1]),
        bounds=Bounds(0, 1),
        constraints=[LinearConstraint(one_each, 1, 1), LinearConstraint(np.array(rows), lower, upper)],
    )
    if solved.status == 2:
        return False
    if solved.x is None:
        return None
    spans = itertools.pairwise(starts)
    choices = np.array([[int(np.argmax(solved.x[start:stop])) for start, stop in spans]], dtype=np.int8)
    found = costs_of(chain, choices, of_member(cost_table, label), _of(latency_table, label))
    return True if bool(satisfied(found, constraints)[0]) else None


def _of(table: pd.DataFrame | None, label: str) -> pd.DataFrame | None:
    return None if table is None else of_member(table, label)
