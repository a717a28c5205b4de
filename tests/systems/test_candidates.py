"""Candidates of several searches as one list."""

from __future__ import annotations

import numpy as np
import pandas as pd

from archatlas.search.parameters import SearchParameters
from archatlas.systems.candidates import candidates_of_searches

ROWS = [
    (0, "a", 0.9, 10), (0, "b", 0.8, 20), (0, "c", 0.7, 30), (0, "e", np.nan, 90),
    (1, "c", 9.0, 30), (1, "d", 8.0, 40), (1, "a", 7.0, 10),
]  # fmt: skip
"""Search, network, score, MACs: the second search counts in tens."""


def candidates(one_scale: bool) -> pd.DataFrame:
    visited = pd.DataFrame(ROWS, columns=["seed", "network", "score", "macs"])
    visited = visited.assign(budget="small", params=7, predicted_latency_ms=np.nan)
    asked = SearchParameters.model_validate({"budgets": {"small": {}}, "top_k": 4})
    return candidates_of_searches(visited, {"small": ()}, asked, one_scale=one_scale)


def test_scores_on_one_scale_are_put_in_order() -> None:
    best = candidates(one_scale=True)
    assert best["network"].tolist() == ["c", "d", "a", "b"]
    assert best["predicted_score"].tolist() == [9.0, 8.0, 7.0, 0.8]


def test_on_scales_of_their_own_the_first_of_each_search_stand_first() -> None:
    best = candidates(one_scale=False)
    # The first are c (more MACs) and a, the second d and b; c and a are not third as well.
    assert best["network"].tolist() == ["c", "a", "d", "b"]
    assert best["rank"].tolist() == [1, 2, 3, 4]
    assert best["predicted_score"].tolist() == [9.0, 0.9, 8.0, 0.8]
