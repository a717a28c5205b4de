"""A method's dealings with its evaluator: every network is scored and paid once, until the ledger closes."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from archatlas.spaces.protocol import Choices
from archatlas.systems.evaluators import Evaluator
from archatlas.systems.ledger import COUNTED, Ledger
from archatlas.systems.problem import Problem

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
        self._rows: list[pd.DataFrame] = []

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
        names = self.problem.space.names(choices[paid])
        evaluations = self._evaluator.evaluate(choices[paid])
        target = self.problem.target
        means = evaluations.groupby("network", sort=False)[target].mean()
        score = means.reindex(names).to_numpy(dtype=np.float64) * (-1 if target == "log_loss" else 1)
        self._known |= {row.tobytes(): float(one) for row, one in zip(choices[paid], score, strict=True)}
        rows = costs.iloc[paid].reset_index(drop=True).reindex(columns=["macs", "params", "predicted_latency_ms"])
        rows.insert(0, "network", pd.Series(names, dtype="str"))
        rows.insert(1, "score", score)
        for kind in COUNTED:
            rows[kind] = [getattr(one, kind) for one in spent]
        self._rows.append(rows)

    def visited(self) -> pd.DataFrame:
        """``VISITED`` of all networks that were scored, in that order."""
        empty = pd.DataFrame({name: pd.Series(dtype="str" if name == "network" else "float64") for name in VISITED})
        return pd.concat(self._rows, ignore_index=True)[VISITED] if self._rows else empty
