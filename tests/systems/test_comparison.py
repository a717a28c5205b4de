"""Methods side by side."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from archatlas.systems.comparison import BEST_COLUMNS, best_of, compared, lines_of, mean_accuracies


def visited(*rows: tuple[str, int, str, float, int]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["budget", "seed", "network", "score", "macs"])
    table["params"], table["predicted_latency_ms"] = 7, np.nan
    table["evaluations"] = table.groupby(["budget", "seed"]).cumcount() + 1.0
    return table.assign(forward_macs=table["evaluations"] * 100, backward_macs=0.0, trainings=0.0)


def test_a_search_chooses_its_best_score_and_of_equals_the_larger() -> None:
    table = visited(
        ("small", 0, "a", 0.5, 10), ("small", 0, "b", 0.7, 20), ("small", 0, "c", 0.7, 30),
        ("small", 0, "d", np.nan, 90), ("small", 1, "a", 0.9, 10), ("large", 0, "e", 0.1, 50),
    )  # fmt: skip
    best = best_of(table, "mine", epochs=80)
    assert best.columns.tolist() == BEST_COLUMNS
    assert best[["budget", "seed", "network", "evaluations", "forward_macs", "epochs"]].to_numpy().tolist() == [
        ["large", 0, "e", 1.0, 100.0, 80.0],
        ["small", 0, "c", 4.0, 400.0, 80.0],
        ["small", 1, "a", 1.0, 100.0, 80.0],
    ]


def test_methods_are_compared_with_random_search_search_by_search() -> None:
    def best(method: str, *networks: str) -> pd.DataFrame:
        rows = [
            (method, "small", seed, name, 0.5, 10, 7, 4.0, 4e9, 0.0, 0.0, 80.0) for seed, name in enumerate(networks)
        ]
        return pd.DataFrame(rows, columns=BEST_COLUMNS)

    accuracies = {"a": 0.80, "b": 0.82, "c": 0.84, "d": 0.90}
    table = compared(
        pd.concat([best("atlas", "d"), best("random_search", "a", "b", "c"), best("evolution", "b", "c", "c")]),
        accuracies,
    ).set_index("method")
    assert table.loc["random_search", "accuracy"] == pytest.approx(0.82)
    assert np.isnan(table.loc["random_search", "ahead"])
    assert table.loc["evolution", "accuracy_std"] == pytest.approx(0.02 / 3**0.5)
    t = 4.302653  # Of two degrees of freedom: the differences of three pairs.
    # 2, 2 and 0 points: a spread of two over the root of three, a third of that in their mean.
    ahead, reach = 0.04 / 3, t * 0.02 / 3
    assert table.loc["evolution", "ahead"] == pytest.approx(ahead)
    assert table.loc["evolution", ["ahead_low", "ahead_high"]].tolist() == pytest.approx([ahead - reach, ahead + reach])
    # One search of the atlas stands beside each of random search.
    assert table.loc["atlas", "ahead"] == pytest.approx(0.08)
    reach = t * 0.02 / 3**0.5
    assert table.loc["atlas", ["ahead_low", "ahead_high"]].tolist() == pytest.approx([0.08 - reach, 0.08 + reach])
    lines = lines_of(table.reset_index())
    assert lines[0].startswith("small: atlas 90.0% of 1 searches, +8.0 (+3.0 to +13.0) points ahead of random search;")
    assert "random_search 82.0% ± 2.0 of 3 searches; 4 networks scored, 4.0 G MACs" in lines[2]
    # The least and the largest of two differences say nothing of what others would be.
    pairs = [best("random_search", "a", "b"), best("evolution", "b", "d")]
    few = compared(pd.concat(pairs), accuracies).set_index("method").loc["evolution"]
    assert few["ahead"] == pytest.approx(0.05)
    assert few[["ahead_low", "ahead_high"]].isna().all()
    assert "+5.0 points ahead of random search" in lines_of(few.to_frame().T.rename_axis("method").reset_index())[0]
    assert lines[-1].startswith("What it costs to fit, tune and ask a predictor stands in no ledger")


def test_a_training_that_diverged_counts_as_a_guess(caplog: pytest.LogCaptureFixture) -> None:
    table = pd.DataFrame({"network": ["a", "b", "a", "b", "c"], "accuracy": [0.8, 0.9, np.nan, 0.7, np.nan]})
    assert mean_accuracies(table, 10) == pytest.approx({"a": 0.45, "b": 0.8, "c": 0.1})
    assert "2 of 5 trainings of what methods would choose diverged" in caplog.text
    assert "a guess among 10 classes: a, c" in caplog.text
