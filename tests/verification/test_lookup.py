"""Verification by looking up: by hand, and on NAS-Bench-201 against the table's own best."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from archatlas.costs.constraints import Constraint
from archatlas.costs.counting import count_parts
from archatlas.costs.network_latency import network_latency_table
from archatlas.costs.table import costs_of
from archatlas.encodings.batch import ArchitectureBatch
from archatlas.predictors.make import make_predictor
from archatlas.predictors.protocol import Evaluations
from archatlas.spaces.chain import ChainSpace
from archatlas.spaces.chain_parts import Operation, Stage
from archatlas.spaces.tables.known import KnownNetworks, known_networks
from archatlas.spaces.tables.parameters import TableParameters
from archatlas.spaces.tables.table import BenchmarkTable, Label
from archatlas.verification.candidates import finalists_by_table
from archatlas.verification.lookup import audited, best_possible, judged, looked_up, random_within
from archatlas.verification.parameters import AuditParameters
from archatlas.verification.roles import ROLE_COLUMNS

SPACE = ChainSpace(
    name="one",
    input_shape=(3, 8, 8),
    num_classes=4,
    stem_width=4,
    stages=(Stage(4, 1, 1),),
    operations=tuple(Operation.parse(name) for name in ("skip", "k3e1", "k5e1", "k7e1", "k9e1")),
)
NETWORKS = ["skip", "k3e1", "k5e1", "k7e1", "k9e1"]  # In the order of their costs.
LABELS = (
    Label("validation", 100, ("validation_accuracy_0", "validation_accuracy_1")),
    Label("test", 400, ("test_accuracy_0", "test_accuracy_1")),
)
PARTS = count_parts(SPACE)
LATENCY = [1.0, 2.0, 4.0, 3.0, np.nan]


@pytest.fixture
def known() -> KnownNetworks:
    """Five networks, two trainings each."""
    rows = pd.DataFrame(
        {
            "architecture": NETWORKS,
            "network": NETWORKS,
            "validation_accuracy_0": [0.1, 0.3, 0.5, 0.6, 0.8],
            "validation_accuracy_1": [0.1, 0.4, 0.6, 0.6, 0.9],
            "test_accuracy_0": [0.1, 0.5, 0.4, 0.6, 0.7],
            "test_accuracy_1": [0.1, 0.7, 0.5, 0.6, 0.8],
            "phone": LATENCY,
        }
    )
    for name in ("validation", "test"):
        rows[f"{name}_accuracy"] = rows[[f"{name}_accuracy_0", f"{name}_accuracy_1"]].mean(axis=1)
    table = BenchmarkTable("by_hand", SPACE, rows, LABELS, hardware=("phone",), latencies=("phone",))
    return KnownNetworks(table, *LABELS)


@pytest.fixture
def costs(known: KnownNetworks) -> pd.DataFrame:
    return costs_of(known.space, known.choices).set_index(known.rows.index)


def rows_of(costs: pd.DataFrame, role: str, budget: str, *networks: str) -> pd.DataFrame:
    return costs.loc[list(networks)].rename_axis("network").reset_index().assign(role=role, budget=budget)


def test_a_row_for_each_training_and_nothing_of_the_test(known: KnownNetworks, costs: pd.DataFrame) -> None:
    done = looked_up(known, rows_of(costs, "candidate", "small", "k5e1", "k3e1"))
    assert done.columns.tolist() == ROLE_COLUMNS
    assert done[["network", "seed", "validation_accuracy"]].to_numpy().tolist() == [
        ["k5e1", 0, 0.5], ["k5e1", 1, 0.6], ["k3e1", 0, 0.3], ["k3e1", 1, 0.4],
    ]  # fmt: skip
    assert done[["test_accuracy", "validation_log_loss"]].isna().all(axis=None)
    assert done["macs"].tolist() == costs.loc[["k5e1", "k5e1", "k3e1", "k3e1"], "macs"].tolist()


def test_random_networks_keep_their_budget(known: KnownNetworks, costs: pd.DataFrame) -> None:
    latency = network_latency_table(known.latency("phone"), "phone")
    budgets = {"fast": [Constraint("latency_ms", "max", 3.0)], "any": []}
    done = random_within(known, budgets, 10, 0, PARTS, latency)
    of = done.groupby("budget")["network"].unique()
    assert sorted(of["fast"]) == ["k3e1", "k7e1", "skip"]
    assert sorted(of["any"]) == sorted(NETWORKS)


def test_the_winner_is_read_once_and_stands_beside_the_best_possible(known: KnownNetworks, costs: pd.DataFrame) -> None:
    latency = network_latency_table(known.latency("phone"), "phone")
    budgets = {"fast": [Constraint("latency_ms", "max", 4.0)]}
    chosen = [
        {"budget": "fast", "status": "found", "architecture": "k5e1"},
        {"budget": "none", "status": "none", "architecture": None},
    ]
    done = pd.concat(
        [
            looked_up(known, rows_of(costs, "candidate", "fast", "k5e1", "k7e1")),
            looked_up(known, rows_of(costs, "random", "fast", "skip")),
            looked_up(known, rows_of(costs, "random", "other", "k3e1")),
        ],
        ignore_index=True,
    )
    (found, none), trainings = judged(known, chosen, done, budgets, PARTS, latency)
    assert found["test_accuracy_mean"] == pytest.approx(0.45)
    assert found["random_accuracy_mean"] == pytest.approx(0.1)
    assert (found["best_architecture"], found["best_latency_ms"]) == ("k3e1", 2.0)
    assert found["best_accuracy"] == pytest.approx(0.6)
    assert found["accuracy_gap"] == pytest.approx(0.15)
    assert (found["accuracy_rank"], found["networks_in_budget"]) == (3, 4)
    assert none["status"] == "none"
    assert done["test_accuracy"].isna().all()
    read = trainings[trainings["test_accuracy"].notna()]
    assert read[["network", "seed", "test_accuracy"]].to_numpy().tolist() == [
        ["k5e1", 0, 0.4], ["k5e1", 1, 0.5], ["skip", 0, 0.1], ["skip", 1, 0.1],
    ]  # fmt: skip


def test_lower_bounds_count_for_the_best_possible(known: KnownNetworks, costs: pd.DataFrame) -> None:
    at_least = [Constraint("macs", "min", float(costs.loc["k5e1", "macs"]))]
    beside = best_possible(known, costs, at_least, "k9e1")
    assert (beside["best_architecture"], beside["accuracy_rank"], beside["networks_in_budget"]) == ("k9e1", 1, 3)
    assert beside["best_latency_ms"] is None


def test_a_finalist_of_another_budget_is_judged_where_it_wins(known: KnownNetworks, costs: pd.DataFrame) -> None:
    done = looked_up(known, rows_of(costs, "candidate", "small", "k5e1"))
    chosen = [{"budget": "large", "status": "found", "architecture": "k5e1"}]
    (found,), _ = judged(known, chosen, done, {}, PARTS, PARTS.iloc[:0])
    assert found["test_accuracy_mean"] == pytest.approx(0.45)


def test_the_audit_is_all_that_was_not_fitted(known: KnownNetworks) -> None:
    predictor = make_predictor("params", None, 0)
    parameters = AuditParameters(networks=100, bootstrap_samples=20, truth="log_loss")
    batch = ArchitectureBatch(known.space, known.choices)
    predictor.fit(batch, Evaluations(np.arange(5.0), np.zeros(5), np.full(5, "table")))
    audit, summary, done = audited(known, predictor, ["skip"], parameters, 0, PARTS)
    assert sorted(audit["network"]) == ["k3e1", "k5e1", "k7e1", "k9e1"]
    assert audit.columns.tolist() == [
        "network", "table_score", "predicted_score", "macs", "params", "truth", "truth_seed_0", "truth_seed_1",
    ]  # fmt: skip
    assert summary["truth"] == "accuracy"
    by_name = audit.set_index("network")
    assert by_name.loc["k3e1", ["table_score", "truth"]].tolist() == pytest.approx([0.35, 0.6])
    # Truth is k5e1 .45, k3e1 .6, k7e1 .6, k9e1 .75; params rise with the kernel, and so does the validation accuracy.
    assert summary["tau_params"] == summary["tau_predictor"] == summary["tau_table"]
    assert summary["tau_params"] == pytest.approx(3 / np.sqrt(6 * 5))  # 4 pairs in order, 1 not, 1 tied
    assert summary["tau_supernet"] is summary["tau_difference"] is None
    assert (done["role"] == "audit").all()
    assert done["test_accuracy"].notna().all()
    empty, nothing, none = audited(known, predictor, NETWORKS, parameters, 0, PARTS)
    assert (len(empty), nothing["count"], len(none)) == (0, 0, 0)


def test_finalists_have_the_latency_that_the_search_went_by() -> None:
    candidates = pd.DataFrame(
        {
            "budget": ["a", "a", "a", "b"],
            "rank": [1, 2, 3, 1],
            "network": ["x", "y", "z", "y"],
            "predicted_latency_ms": [1.0, 2.0, 3.0, 2.0],
            "method": "atlas",
        }
    )
    found = finalists_by_table(candidates, 2)
    assert found[["budget", "network", "latency_ms", "finalist"]].to_numpy().tolist() == [
        ["a", "x", 1.0, True], ["a", "y", 2.0, True], ["b", "y", 2.0, True],
    ]  # fmt: skip
    assert found["latency_upper_quartile_ms"].isna().all()


def test_the_best_possible_is_that_of_the_table(benchmark_data: Path) -> None:
    known = known_networks(TableParameters(name="nas_bench_201", path=str(benchmark_data)))
    latency = network_latency_table(known.latency("help_pixel3"), "help_pixel3")
    costs = costs_of(known.space, known.choices, None, latency).set_index(known.rows.index)
    beside = best_possible(known, costs, [Constraint("latency_ms", "max", 12.0)], str(known.rows.index[0]))
    best = known.table.networks().best("test", at_most={})
    assert beside["networks_in_budget"] == int((known.rows["help_pixel3"] <= 12).sum())
    canonical = known.table.rows[known.table.rows["architecture"] == known.table.rows["network"]]
    within = replace(known.table, rows=canonical).best("test", at_most={"help_pixel3": 12.0})
    assert (beside["best_architecture"], beside["best_accuracy"]) == (within["architecture"], within["test_accuracy"])
    assert beside["best_latency_ms"] == within["help_pixel3"]
    assert best_possible(known, costs, [], best["architecture"])["accuracy_rank"] == 1
