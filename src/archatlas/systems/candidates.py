"""Candidates of a method that scores what it visits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from archatlas.costs.constraints import Constraint
from archatlas.search.enumeration import top_candidates
from archatlas.search.parameters import SearchParameters


def candidates_of_searches(
    visited: pd.DataFrame, budgets: Mapping[str, Sequence[Constraint]], parameters: SearchParameters
) -> pd.DataFrame:
    """The best that all searches for a budget have scored: columns as of ``enumeration.candidates_of``.

    ``predicted_score`` is the score, of whose error nothing is known (``predicted_std`` is NaN).

    Args:
        visited: columns budget, ``account.VISITED``, of one method.
        budgets: bounds by budget.
        parameters: how many there may be.
    """
    by_score = parameters.model_copy(update={"rank_by": "mean"})
    parts = []
    for budget, constraints in budgets.items():
        own = visited[visited["budget"] == budget].dropna(subset="score").drop_duplicates("network")
        table = own.rename(columns={"score": "predicted_score"}).assign(predicted_std=float("nan"))
        best = top_candidates(table.astype({"macs": "int64", "params": "int64"}), constraints, by_score)
        best.insert(0, "budget", budget)
        parts.append(best)
    return pd.concat(parts, ignore_index=True)
