from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from archatlas.search.pareto import FRONT_COLUMNS, pareto_fronts, pareto_rows


def test_a_front_by_hand() -> None:
    score = [0.5, 0.7, 0.6, 0.9, 0.9, np.nan]
    cost = [1.0, 2.0, 3.0, 5.0, 4.0, 0.0]
    assert pareto_rows(score, cost).tolist() == [0, 1, 4]


def test_equal_rows_are_one() -> None:
    assert pareto_rows([1.0, 1.0], [2.0, 2.0]).tolist() == [0]
    assert pareto_rows([], []).tolist() == []


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=30))
def test_the_front_is_what_no_row_dominates(rows: list[tuple[int, int]]) -> None:
    front = {rows[index] for index in pareto_rows([s for s, _ in rows], [c for _, c in rows])}
    undominated = {
        (score, cost)
        for score, cost in rows
        if not any(s >= score and c <= cost and (s, c) != (score, cost) for s, c in rows)
    }
    assert front == undominated


def test_one_front_per_cost() -> None:
    table = pd.DataFrame(
        {
            "network": ["a", "b"],
            "predicted_score": [0.9, 0.8],
            "macs": [10, 5],
            "params": [1, 2],
            "predicted_latency_ms": [np.nan, np.nan],
        }
    )
    fronts = pareto_fronts(table, table["predicted_score"], ["macs", "params"])
    assert fronts.columns.tolist() == FRONT_COLUMNS
    assert list(zip(fronts["cost"], fronts["network"], strict=True)) == [("macs", "b"), ("macs", "a"), ("params", "a")]
