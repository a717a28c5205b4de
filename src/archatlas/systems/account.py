"""A method's dealings with its evaluator: every network is scored and paid once, until the ledger closes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from archatlas.spaces.protocol import Choices
from archatlas.systems.ledger import COUNTED, Ledger
from archatlas.systems.problem import Problem

if TYPE_CHECKING:
    from archatlas.systems.evaluators import Evaluator

VISITED = ["network", "score", "macs", "params", "predicted_latency_ms", *COUNTED]
"""Columns of what a method has visited: the network, its score (higher is better), costs (latency NaN where it is not
known), and what had been spent when it was scored."""


class Account:
    """Scores for one search."""

    def __init__(self, problem: Problem, evaluator: Evaluator, ledger: Ledger) -> None:
        self.problem = problem
        self.ledger = ledger
        self._evaluator = evaluator
        self._known: dict[bytes, float] = {}
        self._columns: dict[str, list[Any]] = {name: [] for name in VISITED}

    def __len__(self) -> int:
        """How many networks were scored."""
        return len(self._known)

    @property
    def closed(self) -> bool:
        """Whether nothing more can be afforded."""
        return self.ledger.closed

    def scores(self, choices: Choices) -> NDArray[np.float64]:
        """The score of each row, ``[n]``; NaN where it could not be afforded any more, or nobody knows it.

        Rows that are one network, or were scored before, are paid once.
        """
        canonical = self.problem.space.canonicalise(choices)
        keys = [row.tobytes() for row in canonical]
        fresh = {key: place for place, key in enumerate(keys) if key not in self._known}
        places = sorted(fresh.values())
        if places:
            self._score(canonical[places])
        return np.array([self._known.get(key, np.nan) for key in keys])

    def _score(self, choices: Choices) -> None:
        costs = self.problem.costs(choices)
        paid, spent = [], []
        for place, price in enumerate(self._evaluator.price(costs["macs"].to_numpy(dtype=np.int64))):
            if not self.ledger.charge(price):
                break
            paid.append(place)
            spent.append(self.ledger.spent)
        if not paid:
            return
        names = self.problem.space.names(choices[paid]).tolist()
        evaluations = self._evaluator.evaluate(choices[paid])
        score = _means(evaluations, self.problem.target, names) * (-1 if self.problem.target == "log_loss" else 1)
        self._known |= {row.tobytes(): float(one) for row, one in zip(choices[paid], score, strict=True)}
        # Kept as they are: methods ask for one network at a time, and tables are slow to be made.
        self._columns["network"] += names
        self._columns["score"] += score.tolist()
        for cost in ("macs", "params", "predicted_latency_ms"):
            self._columns[cost] += costs[cost].to_numpy()[paid].tolist() if cost in costs else [np.nan] * len(paid)
        for kind in COUNTED:
            self._columns[kind] += [getattr(one, kind) for one in spent]

    def visited(self) -> pd.DataFrame:
        """``VISITED`` of all networks that were scored, in that order."""
        counts = ("macs", "params") if len(self) else ()
        types = {"network": "str"} | dict.fromkeys(counts, "int64")
        return pd.DataFrame(
            {name: pd.Series(column, dtype=types.get(name, "float64")) for name, column in self._columns.items()}
        )


def _means(evaluations: pd.DataFrame, target: str, names: list[str]) -> NDArray[np.float64]:
    """The mean over each network's evaluations, NaN where there is none."""
    if evaluations["network"].tolist() == names:  # One for each, in their order.
        return evaluations[target].to_numpy(dtype=np.float64)
    means = evaluations.groupby("network", sort=False)[target].mean()
    return means.reindex(names).to_numpy(dtype=np.float64)
