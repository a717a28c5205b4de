from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from archatlas.costs.constraints import Constraint
from archatlas.costs.latency import LatencyMeasurement
from archatlas.verification.candidates import finalists, meets_latency, supernet_scores
from archatlas.verification.comparisons import no_comparisons
from archatlas.verification.judged import with_test_figures
from archatlas.verification.winners import VERIFIED_COLUMNS, choose_winners

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
        "method": ["atlas"] * 4,
    }
)
NOBODY = no_comparisons()
HOW: dict[str, Any] = {"beside": NOBODY, "latency_from": "measured"}
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
        CANDIDATES,
        {"a": 0.5, "b": 0.6},
        latency,
        done,
        {"fast": LIMIT},
        beside=NOBODY,
        latency_from="measured",
        misses=2,
    )
    assert table.columns.tolist() == VERIFIED_COLUMNS
    assert table["meets_budget"].tolist() == [False, True, False, True]
    assert table["validation_accuracy_mean"].tolist()[1::2] == pytest.approx([0.92, 0.93])
    assert table["validation_accuracy_std"][1] == pytest.approx(0.04 / np.sqrt(2))
    assert table["verdict"].str.split(":").str[0].tolist() == [
        "misses max_latency_ms 1",
        "finalist",
        "misses max_latency_ms 1",
        "first",
    ]
    assert (winner["status"], winner["architecture"], winner["best_seed"]) == ("found", "d", 0)
    assert winner["reason"] == "winner: finalist, best mean validation accuracy of all that were trained"
    assert winner["supernet_accuracy"] is None
    assert winner["latency_upper_quartile_ms"] == 0.6
    assert [(next_best["architecture"], next_best["best_seed"]) for next_best in winner["runners_up"]] == [("b", 1)]
    json.dumps(winner, allow_nan=False)


def test_equal_accuracies_are_told_apart_by_log_loss_then_rank() -> None:
    latency = finalists(CANDIDATES, [], 3, None)
    done = trainings(a=[0.9], b=[0.9], c=[0.9])
    chosen = choose_winners(CANDIDATES, {}, latency, done, {"fast": []}, **HOW, misses=0)[1]
    assert chosen[0]["architecture"] == "a"
    done.loc[done["network"] == "c", "validation_log_loss"] = 0.01
    chosen = choose_winners(CANDIDATES, {}, latency, done, {"fast": []}, **HOW, misses=0)[1]
    assert chosen[0]["architecture"] == "c"


def test_where_no_candidate_is_fast_enough_the_nearest_misses_are_named() -> None:
    limit = [Constraint("latency_ms", "max", 0.5)]
    latency = finalists(CANDIDATES, limit, 2, measure)
    assert not latency["finalist"].any()
    table, (answer,) = choose_winners(CANDIDATES, {}, latency, trainings(), {"fast": limit}, **HOW, misses=2)
    assert not table["meets_budget"].any()
    assert answer["status"] == "none"
    assert "none of the 4 candidates keeps max_latency_ms 0.5" in answer["reason"]
    assert [miss["network"] for miss in answer["nearest_misses"]] == ["d", "b"]
    assert answer["nearest_misses"][0]["excess"] == pytest.approx(0.2)
    json.dumps(answer, allow_nan=False)


def test_an_imported_table_is_said_not_to_be_a_measurement() -> None:
    latency = finalists(CANDIDATES, LIMIT, 1, None)
    table, (winner,) = choose_winners(
        CANDIDATES, {}, latency, trainings(a=[0.9]), {"fast": LIMIT}, beside=NOBODY, latency_from="imported", misses=2
    )
    assert "not measured here" in table["verdict"][0]
    assert winner["latency_ms"] is None
    assert table["verdict"][1].startswith("not tried")


def test_the_test_figures_of_a_budget() -> None:
    done = pd.DataFrame(
        {
            "role": ["candidate"] * 2 + ["candidate"] + ["random"] * 4 + ["mobilenet"] * 2,
            "budget": ["x"] * 9,
            "seed": [0, 1, 0, 0, 1, 0, 1, 0, 1],
            "network": ["a", "a", "b", "r", "r", "s", "s", "mobilenet_x0.50", "mobilenet_x0.50"],
            "test_accuracy": [0.9, 0.8, np.nan, 0.5, 0.7, 0.8, 0.8, 0.75, 0.85],
            "macs": [1] * 7 + [9, 9],
            "params": [2] * 7 + [8, 8],
        }
    )
    document = with_test_figures({"budget": "x", "status": "found", "architecture": "a"}, done)
    assert document["test_accuracy_mean"] == pytest.approx(0.85)
    assert document["test_accuracy_std"] == pytest.approx(0.1 / np.sqrt(2))
    assert document["random_accuracy_mean"] == pytest.approx(0.7)
    assert document["random_accuracy_std"] == pytest.approx(0.2 / np.sqrt(2))
    assert document["random_count"] == 2
    assert document["mobilenet_accuracy_mean"] == pytest.approx(0.8)
    assert (document["mobilenet_architecture"], document["mobilenet_macs"]) == ("mobilenet_x0.50", 9)
    json.dumps(document, allow_nan=False)


BESIDE = pd.DataFrame(
    {
        "role": ["random", "mobilenet"],
        "budget": ["fast", "fast"],
        "network": ["r", "mobilenet_x0.50"],
        "macs": [15, 25],
        "params": [2, 3],
        "predicted_latency_ms": [0.9, np.nan],
        "latency_ms": [0.8, 0.9],
        "latency_lower_quartile_ms": [0.7, 0.8],
        "latency_upper_quartile_ms": [0.9, 1.2],
    }
)


def chosen(bounds: list[Constraint], done: pd.DataFrame, latency_from: str = "measured") -> tuple[pd.DataFrame, dict]:
    latency = finalists(CANDIDATES, bounds, 2, measure)
    table, (winner,) = choose_winners(
        CANDIDATES, {}, latency, done, {"fast": bounds}, beside=BESIDE, latency_from=latency_from, misses=2
    )
    return table, winner


def test_whatever_was_trained_and_keeps_the_budget_can_win() -> None:
    done = trainings(b=[0.90], d=[0.91], r=[0.93], **{"mobilenet_x0.50": [0.99]})
    table, winner = chosen(LIMIT, done)
    # The MobileNet's upper quartile is 1.2 ms: too slow.
    assert (winner["architecture"], winner["role"], winner["predicted"]) == ("r", "random", None)
    assert table.loc[table["role"] == "random", ["rank", "verdict"]].values.tolist() == [
        [0, "first: random network, best mean validation accuracy of all that were trained"]
    ]
    assert "mobilenet_x0.50" not in set(table["network"])
    table, winner = chosen([Constraint("macs", "max", 40)], done)
    assert (winner["architecture"], winner["macs"], winner["best_seed"]) == ("mobilenet_x0.50", 25, 0)
    assert (table.loc[table["network"] == "r", "verdict"]).str.startswith("random network: keeps the budget").all()


def test_where_latency_is_predicted_what_has_none_keeps_no_bound_on_it() -> None:
    done = trainings(b=[0.90], d=[0.91], r=[0.93], **{"mobilenet_x0.50": [0.99]})
    _, winner = chosen(LIMIT, done, "imported")
    assert winner["architecture"] == "r"


def test_a_finalist_of_a_smaller_budget_competes_in_the_larger_one() -> None:
    small = CANDIDATES.iloc[2:].assign(budget="small", rank=[1, 2])
    both = pd.concat([CANDIDATES.iloc[:2], small], ignore_index=True)
    latency = pd.concat([finalists(part, [], 2, None) for _, part in both.groupby("budget")], ignore_index=True)
    bounds = {"fast": [Constraint("macs", "max", 40)], "small": [Constraint("macs", "max", 20)]}
    done = trainings(a=[0.8], b=[0.7], c=[0.9], d=[0.6])
    how = {"latency_from": "none", "misses": 0}
    table, winners = choose_winners(both, {}, latency, done, bounds, beside=NOBODY, **how)
    assert [winner["architecture"] for winner in winners] == ["c", "c"]
    of_small = table[(table["budget"] == "fast") & (table["network"] == "c")]
    assert of_small["verdict"].tolist() == [
        "first: finalist of `small`, best mean validation accuracy of all that were trained"
    ]
    # Where true accuracies choose nothing, no other budget's finalist is looked at.
    alone = choose_winners(both, {}, latency, done, bounds, beside=None, **how)[1]
    assert [winner["architecture"] for winner in alone] == ["a", "c"]


def of_two_budgets(beside: pd.DataFrame, done: pd.DataFrame) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """`small` has the finalists c and d; `other` a and b, and c and d behind them, which it does not try."""
    small = CANDIDATES.iloc[2:].assign(budget="small", rank=[1, 2])
    both = pd.concat([small, CANDIDATES.assign(budget="other")], ignore_index=True)
    latency = pd.concat([finalists(part, [], 2, None) for _, part in both.groupby("budget")], ignore_index=True)
    bounds = {"small": [Constraint("macs", "max", 20)], "other": [Constraint("macs", "max", 40)]}
    how = {"latency_from": "none", "misses": 0}
    return choose_winners(both, {}, latency, done, bounds, beside=beside, **how)


def test_a_candidate_that_was_not_tried_wins_if_another_budget_has_had_it_trained() -> None:
    table, (small, other) = of_two_budgets(NOBODY, trainings(a=[0.8], b=[0.7], c=[0.9], d=[0.6]))
    assert (small["architecture"], small["from_budget"]) == ("c", "small")
    assert (other["architecture"], other["role"], other["from_budget"]) == ("c", "candidate", "small")
    rows = table[table["budget"] == "other"]
    assert sorted(rows["network"]) == ["a", "b", "c", "d"]
    assert rows.loc[rows["network"].isin(["c", "d"]), "verdict"].tolist() == [
        "first: finalist of `small`, best mean validation accuracy of all that were trained",
        "finalist of `small`: keeps the budget, but its mean validation accuracy is not the best",
    ]


def test_a_candidate_that_was_not_tried_wins_if_chance_has_had_it_trained() -> None:
    drawn = pd.concat([BESIDE.iloc[:1].assign(network="c", budget=budget) for budget in ("small", "other")])
    few = CANDIDATES.assign(budget="other")
    bounds = {"other": [Constraint("macs", "max", 40)]}
    how = {"latency_from": "none", "misses": 0}
    latency = finalists(few, [], 2, None)
    done = trainings(a=[0.8], b=[0.7], c=[0.9])
    table, (winner,) = choose_winners(few, {}, latency, done, bounds, beside=drawn, **how)
    # Drawn for both, it is this budget's own.
    assert (winner["architecture"], winner["role"], winner["from_budget"]) == ("c", "random", "other")
    assert sorted(table["network"]) == ["a", "b", "c", "d"]
    _, (elsewhere,) = choose_winners(few, {}, latency, done, bounds, beside=drawn.iloc[:1], **how)
    assert (elsewhere["architecture"], elsewhere["from_budget"]) == ("c", "small")
    assert elsewhere["reason"].startswith("winner: random network of `small`")


def test_differences_are_taken_image_by_image() -> None:
    done = pd.DataFrame(
        {
            "budget": ["x"] * 4,
            "role": ["candidate", "candidate", "random", "random"],
            "network": ["a", "a", "r", "s"],
            "seed": [0, 1, 0, 0],
            "test_accuracy": [0.75, 0.5, 0.5, 0.25],
            "macs": [1] * 4,
            "params": [1] * 4,
        }
    )
    right = {
        ("a", 0): np.array([True, True, True, False]),
        ("a", 1): np.array([True, True, False, False]),
        ("r", 0): np.array([True, True, False, False]),
        ("s", 0): np.array([True, False, False, False]),
    }
    document = with_test_figures({"budget": "x", "status": "found", "architecture": "a"}, done, right)
    # Shares right: 1, 1, .5, 0 against 1, .5, 0, 0.
    # With two images more, one ahead and one behind: sum of squares .5 + 2 / 2, sum 1, of 6.
    assert document["random_paired_error"] == pytest.approx(((1.5 / 6 - (1 / 6) ** 2) / 6) ** 0.5)
    assert document["mobilenet_paired_error"] is None


def judged(**rows: list[tuple[str, list[float]]]) -> dict[str, Any]:
    """The figures of a budget whose winner is the first network of all, from accuracies by role and network."""
    told = [
        {"role": role, "network": network, "seed": seed, "test_accuracy": accuracy, "validation_accuracy": accuracy}
        for role, networks in rows.items()
        for network, accuracies in networks
        for seed, accuracy in enumerate(accuracies)
    ]
    table = pd.DataFrame(told).assign(budget="x", macs=1, params=1)
    return with_test_figures({"budget": "x", "status": "found", "architecture": told[0]["network"]}, table)


def test_the_noise_of_trainings_is_pooled_or_that_of_random_networks() -> None:
    several = judged(candidate=[("a", [0.9, 0.8])], random=[("r", [0.5, 0.7]), ("s", [0.8, 0.8])])
    assert several["training_noise"] == {
        "std": pytest.approx(((0.005 + 0.02 + 0) / 3) ** 0.5), "degrees": 3, "of": "trainings"
    }  # fmt: skip
    once = judged(candidate=[("a", [0.9])], random=[("r", [0.5]), ("s", [0.7])], mobilenet=[("m", [0.8])])
    assert once["training_noise"] == {"std": pytest.approx(0.02**0.5), "degrees": 1, "of": "random networks"}
    assert judged(candidate=[("a", [0.9])], random=[("r", [0.5])])["training_noise"] is None


def test_random_networks_of_all_budgets_say_what_chance_does_about_their_own_mean() -> None:
    rows = [("x", "candidate", "a", 0.9), ("x", "random", "r", 0.5), ("x", "random", "s", 0.7)]
    rows += [("y", "random", "t", 0.8), ("y", "random", "u", 0.9), ("z", "random", "v", 0.1)]
    table = pd.DataFrame(rows, columns=["budget", "role", "network", "test_accuracy"])
    table = table.assign(seed=0, validation_accuracy=0.5, macs=1, params=1)
    document = {"budget": "x", "status": "found", "architecture": "a"}
    noise = with_test_figures(document, table, None, table[table["role"] == "random"])["training_noise"]
    assert noise == {"std": pytest.approx(((0.02 + 0.005) / 2) ** 0.5), "degrees": 2, "of": "random networks"}


def test_a_winner_is_not_compared_with_itself() -> None:
    drawn = judged(random=[("r", [0.9]), ("s", [0.5]), ("t", [0.7])], mobilenet=[("m", [0.8])])
    assert (drawn["random_count"], drawn["random_accuracy_mean"]) == (2, pytest.approx(0.6))
    # But it says how far apart networks that are drawn lie.
    assert drawn["training_noise"]["degrees"] == 2
    scaled = judged(mobilenet=[("m_r32", [0.9]), ("m_r24", [0.8])], random=[("r", [0.5])])
    assert (scaled["mobilenet_architecture"], scaled["mobilenet_accuracy_mean"]) == ("m_r24", 0.8)
    alone = judged(random=[("r", [0.9])])
    assert (alone["random_count"], alone["random_accuracy_mean"], alone["random_paired_error"]) == (0, None, None)


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
