from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from archatlas.costs.constraints import Constraint
from archatlas.costs.latency import LatencyMeasurement
from archatlas.verification.candidates import finalists, meets_latency, supernet_scores
from archatlas.verification.winners import VERIFIED_COLUMNS, choose_winners, with_test_figures

CANDIDATES = pd.DataFrame(
    {
        "budget": ["fast"] * 4,
        "rank": [1, 2, 3, 4],
        "network": ["a", "b", "c", "d"],
        "predicted_score": [0.9, 0.8, 0.7, 0.6],
        "predicted_std": [0.0] * 4,
        "macs": [40, 30, 20, 10],
        "params": [4, 3, 2, 1],
        "predicted_latency_ms": [1.0, 0.9, 0.8, 0.7],
    }
)
LIMIT = [Constraint("latency_ms", "max", 1.0)]
TIMES = {"a": (0.9, 0.8, 1.1), "b": (0.8, 0.7, 1.0), "c": (0.9, 0.8, 1.2), "d": (0.5, 0.4, 0.6)}


def measure(networks: list[str]) -> list[LatencyMeasurement]:
    return [LatencyMeasurement(*TIMES[name]) for name in networks]


def trainings(**accuracies: list[float]) -> pd.DataFrame:
    rows = [
        ("fast", network, seed, accuracy, 1 - accuracy)
        for network, values in accuracies.items()
        for seed, accuracy in enumerate(values)
    ]
    return pd.DataFrame(rows, columns=["budget", "network", "seed", "validation_accuracy", "validation_log_loss"])


def test_the_upper_quartile_decides_on_a_largest_latency_and_the_lower_on_a_least() -> None:
    measured = LatencyMeasurement(1.0, 0.8, 1.2)
    assert meets_latency(measured, [Constraint("latency_ms", "max", 1.2)])
    assert not meets_latency(measured, [Constraint("latency_ms", "max", 1.1)])
    assert meets_latency(measured, [Constraint("latency_ms", "min", 0.8)])
    assert not meets_latency(measured, [Constraint("latency_ms", "min", 0.9)])
    assert meets_latency(measured, [Constraint("macs", "max", 0)])


def test_a_candidate_that_is_too_slow_gives_its_place_to_the_next() -> None:
    found = finalists(CANDIDATES, LIMIT, 2, measure)
    assert found["network"].tolist() == ["a", "b", "c", "d"]
    assert found["finalist"].tolist() == [False, True, False, True]
    assert found["latency_upper_quartile_ms"].tolist() == [1.1, 1.0, 1.2, 0.6]
    assert finalists(CANDIDATES, LIMIT, 1, measure)["network"].tolist() == ["a", "b"]


def test_without_a_bound_on_latency_or_without_a_measurement_the_first_are_finalists() -> None:
    timed = finalists(CANDIDATES, [Constraint("macs", "max", 50)], 2, measure)
    assert timed["finalist"].tolist() == [True, True]
    assert timed["latency_ms"].tolist() == [0.9, 0.8]
    untimed = finalists(CANDIDATES, LIMIT, 2, None)
    assert untimed["finalist"].tolist() == [True, True]
    assert untimed["latency_ms"].isna().all()


def test_the_winner_is_the_best_finalist_on_validation_and_every_candidate_has_a_verdict() -> None:
    latency = finalists(CANDIDATES, LIMIT, 2, measure)
    done = trainings(b=[0.90, 0.94], d=[0.95, 0.91])
    table, (winner,) = choose_winners(
        CANDIDATES, {"a": 0.5, "b": 0.6}, latency, done, {"fast": LIMIT}, measured_here=True, misses=2
    )
    assert table.columns.tolist() == VERIFIED_COLUMNS
    assert table["meets_budget"].tolist() == [False, True, False, True]
    assert table["validation_accuracy_mean"].tolist()[1::2] == pytest.approx([0.92, 0.93])
    assert table["validation_accuracy_std"][1] == pytest.approx(0.04 / np.sqrt(2))
    assert table["verdict"].str.split(":").str[0].tolist() == [
        "misses max_latency_ms 1",
        "finalist",
        "misses max_latency_ms 1",
        "winner",
    ]
    assert (winner["status"], winner["architecture"], winner["best_seed"]) == ("found", "d", 0)
    assert winner["supernet_accuracy"] is None
    assert winner["latency_upper_quartile_ms"] == 0.6
    json.dumps(winner, allow_nan=False)


def test_equal_accuracies_are_told_apart_by_log_loss_then_rank() -> None:
    latency = finalists(CANDIDATES, [], 3, None)
    done = trainings(a=[0.9], b=[0.9], c=[0.9])
    chosen = choose_winners(CANDIDATES, {}, latency, done, {"fast": []}, measured_here=True, misses=0)[1]
    assert chosen[0]["architecture"] == "a"
    done.loc[done["network"] == "c", "validation_log_loss"] = 0.01
    chosen = choose_winners(CANDIDATES, {}, latency, done, {"fast": []}, measured_here=True, misses=0)[1]
    assert chosen[0]["architecture"] == "c"


def test_where_no_candidate_is_fast_enough_the_nearest_misses_are_named() -> None:
    limit = [Constraint("latency_ms", "max", 0.5)]
    latency = finalists(CANDIDATES, limit, 2, measure)
    assert not latency["finalist"].any()
    table, (answer,) = choose_winners(
        CANDIDATES, {}, latency, trainings(), {"fast": limit}, measured_here=True, misses=2
    )
    assert not table["meets_budget"].any()
    assert answer["status"] == "none"
    assert "none of the 4 candidates keeps max_latency_ms 0.5" in answer["reason"]
    assert [miss["network"] for miss in answer["nearest_misses"]] == ["d", "b"]
    assert answer["nearest_misses"][0]["excess"] == pytest.approx(0.2)
    json.dumps(answer, allow_nan=False)


def test_an_imported_table_is_said_not_to_be_a_measurement() -> None:
    latency = finalists(CANDIDATES, LIMIT, 1, None)
    table, (winner,) = choose_winners(
        CANDIDATES, {}, latency, trainings(a=[0.9]), {"fast": LIMIT}, measured_here=False, misses=2
    )
    assert "not measured here" in table["verdict"][0]
    assert winner["latency_ms"] is None
    assert table["verdict"][1].startswith("not tried")


def test_the_test_figures_of_a_budget() -> None:
    done = pd.DataFrame(
        {
            "role": ["candidate"] * 2 + ["candidate"] + ["random"] * 4 + ["mobilenet"] * 2,
            "network": ["a", "a", "b", "r", "r", "s", "s", "mobilenet_x0.50", "mobilenet_x0.50"],
            "test_accuracy": [0.9, 0.8, np.nan, 0.5, 0.7, 0.8, 0.8, 0.75, 0.85],
            "macs": [1] * 7 + [9, 9],
            "params": [2] * 7 + [8, 8],
        }
    )
    document = with_test_figures(
        {"budget": "x", "status": "found", "architecture": "a"}, done, {"cat": 0.5, "dog": float("nan")}
    )
    assert document["test_accuracy_mean"] == pytest.approx(0.85)
    assert document["test_accuracy_std"] == pytest.approx(0.1 / np.sqrt(2))
    assert document["random_accuracy_mean"] == pytest.approx(0.7)
    assert document["random_accuracy_std"] == pytest.approx(0.2 / np.sqrt(2))
    assert document["random_count"] == 2
    assert document["mobilenet_accuracy_mean"] == pytest.approx(0.8)
    assert (document["mobilenet_architecture"], document["mobilenet_macs"]) == ("mobilenet_x0.50", 9)
    assert document["per_class_accuracy"] == {"cat": 0.5, "dog": None}
    json.dumps(document, allow_nan=False)


def test_supernet_scores_weight_halves_by_their_images() -> None:
    evaluations = pd.DataFrame(
        {
            "network": ["b", "b", "a", "a"],
            "accuracy": [1.0, 0.0, 0.5, 0.5],
            "log_loss": [0.0, 4.0, 1.0, 1.0],
            "images": [3, 1, 2, 2],
        }
    )
    scores = supernet_scores(evaluations)
    assert scores.index.tolist() == ["b", "a"]
    assert scores["accuracy"].tolist() == [0.75, 0.5]
    assert scores["log_loss"].tolist() == [1.0, 1.0]
