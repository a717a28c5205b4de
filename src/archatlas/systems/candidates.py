"""Candidates of a method that scores what it visits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from archatlas.costs.constraints import Constraint
from archatlas.search.enumeration import top_candidates
from archatlas.search.parameters import SearchParameters


def candidates_of_searches(
    visited: pd.DataFrame,
    budgets: Mapping[str, Sequence[Constraint]],
    parameters: SearchParameters,
    *,
    one_scale: bool = True,
) -> pd.DataFrame:
    """The best that all searches for a budget have scored: columns as of ``search.answer.answer``'s.

    ``predicted_score`` is the score, of whose error nothing is known (``predicted_std`` is NaN).

    Args:
        visited: columns budget, seed, ``account.VISITED``, of one method.
        budgets: bounds by budget.
        parameters: how many there may be.
        one_scale: whether scores of different searches can be compared; else first stand the first of each search, then
            the second.
    """
    by_score = parameters.model_copy(update={"rank_by": "mean"})
    parts = []
    for budget, constraints in budgets.items():
        own = visited[visited["budget"] == budget].dropna(subset="score")
        own = own.sort_values(["score", "macs"], ascending=False, kind="stable")
        place = own.groupby("seed").cumcount()
        merit = own["score"] if one_scale else -place.astype("float64")
        own = own.assign(predicted_score=merit).sort_values("predicted_score", ascending=False, kind="stable")
        table = own.drop_duplicates("network").astype({"macs": "int64", "params": "int64"})
        best = top_candidates(table.assign(predicted_std=float("nan")), constraints, by_score)
        best["predicted_score"] = best["network"].map(table.set_index("network")["score"])
        best.insert(0, "budget", budget)
        parts.append(best)
    return pd.concat(parts, ignore_index=True)
