"""Random search: the control that every method has to beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from pydantic import PositiveInt

from archatlas.systems.account import Account
from archatlas.systems.ledger import Ledger
from archatlas.systems.problem import Problem

if TYPE_CHECKING:
    from archatlas.systems.evaluators import Evaluator


@dataclass(frozen=True)
class RandomSearch:
    """Networks within the bounds, as the space's sampler draws them, ``at_once`` at a time: many share more."""

    at_once: PositiveInt = 1000

    def search(
        self, problem: Problem, evaluator: Evaluator, ledger: Ledger, generator: np.random.Generator
    ) -> pd.DataFrame:
        """All that was scored until the ledger closed, or nothing new was found any more (``problem.Method``)."""
        account, idle = Account(problem, evaluator, ledger), 0
        while not account.closed and idle < _MOST_IDLE:
            before = len(account)
            # One more than can be paid, which closes the ledger.
            count = int(min(self.at_once, ledger.left("evaluations") + 1))
            account.scores(problem.draw(count, generator))
            idle = idle + 1 if len(account) == before else 0
        return account.visited()


_MOST_IDLE = 20
"""Draws in a row that bring nothing new: the space, or what keeps the bounds, is used up."""
