"""Constraints: lower and upper bounds on a cost, in the cost's unit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

CostName = Literal["macs", "params", "latency_ms"]

COST_COLUMNS: dict[CostName, str] = {"macs": "macs", "params": "params", "latency_ms": "predicted_latency_ms"}
"""The column of a table of networks that each constraint looks at: before verification latency is predicted."""

UNITS: dict[CostName, str] = {"macs": "MACs", "params": "parameters", "latency_ms": "ms"}


@dataclass(frozen=True)
class Constraint:
    """``cost`` is at most (``max``) or at least (``min``) ``limit``."""

    cost: CostName
    bound: Literal["max", "min"]
    limit: float

    def keeps(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Which of the costs ``[n]`` satisfy the bound. A missing cost (NaN) does not."""
        kept: NDArray[np.bool_] = values <= self.limit if self.bound == "max" else values >= self.limit
        return kept

    def excess(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """By what part of the limit each cost ``[n]`` is beyond it; at most 0 where it is kept."""
        sign = 1.0 if self.bound == "max" else -1.0
        return sign * (np.asarray(values, dtype=np.float64) - self.limit) / max(abs(self.limit), 1e-12)

    def __str__(self) -> str:
        return f"{self.bound}_{self.cost} {self.limit:,.6g}"


def satisfied(costs: pd.DataFrame, constraints: Iterable[Constraint]) -> NDArray[np.bool_]:
    """Which rows of a table of networks keep every constraint; latency is the predicted one."""
    kept = np.ones(len(costs), dtype=bool)
    for constraint in constraints:
        kept &= constraint.keeps(costs[COST_COLUMNS[constraint.cost]].to_numpy())
    return kept
