"""A search method: as many networks as can be paid, as they come."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from pydantic import PositiveInt

from archatlas.systems.account import Account
from archatlas.systems.evaluators import Evaluator
from archatlas.systems.ledger import Ledger
from archatlas.systems.problem import Problem


@dataclass(frozen=True)
class FirstCome:
    at_once: PositiveInt = 4

    def search(
        self, problem: Problem, evaluator: Evaluator, ledger: Ledger, generator: np.random.Generator
    ) -> pd.DataFrame:
        account = Account(problem, evaluator, ledger)
        while not account.closed:
            account.scores(problem.draw(self.at_once, generator))
        return account.visited()
