"""What the main job takes from a table: by hand, and the tables themselves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from archatlas.errors import ArchatlasError
from archatlas.spaces.chain import ChainSpace
from archatlas.spaces.chain_parts import Operation, Stage
from archatlas.spaces.protocol import Enumerable
from archatlas.spaces.restricted import Restricted
from archatlas.spaces.tables.known import KnownNetworks, known_networks
from archatlas.spaces.tables.parameters import TableName, TableParameters
from archatlas.spaces.tables.table import BenchmarkTable, Label

SPACE = ChainSpace(
    name="two",
    input_shape=(3, 8, 8),
    num_classes=4,
    stem_width=4,
    stages=(Stage(4, 2, 1),),
    operations=(Operation.parse("k3e1"), Operation.parse("k5e1"), Operation.parse("skip")),
)
LABELS = (
    Label("validation", 100, ("validation_accuracy_0", "validation_accuracy_1")),
    Label("test", 400, ("test_accuracy_0", "test_accuracy_1")),
)


def by_hand() -> BenchmarkTable:
    """Three networks, one of them spelled twice, and one without validation accuracy."""
    rows = pd.DataFrame(
        {
            "architecture": ["skip-k3e1", "k3e1-skip", "k5e1-k3e1", "skip-skip"],
            "network": ["k3e1-skip", "k3e1-skip", "k5e1-k3e1", "skip-skip"],
            "validation_accuracy_0": [0.1, 0.5, 0.7, np.nan],
            "validation_accuracy_1": [0.1, 0.6, 0.9, np.nan],
            "test_accuracy_0": [0.2, 0.4, 0.6, 0.3],
            "test_accuracy_1": [0.2, 0.5, 0.8, 0.3],
            "pixel": [1.0, 2.0, np.nan, 4.0],
            "energy": 1.0,
        }
    )
    for name in ("validation", "test"):
        rows[f"{name}_accuracy"] = rows[[f"{name}_accuracy_0", f"{name}_accuracy_1"]].mean(axis=1)
    return BenchmarkTable("by_hand", SPACE, rows, LABELS, hardware=("pixel", "energy"), latencies=("pixel",))


def known(table: BenchmarkTable, label: int = 0, truth: int = 1) -> KnownNetworks:
    return KnownNetworks(table, table.labels[label], table.labels[truth])


def test_a_network_is_its_canonical_architecture_and_has_both_accuracies() -> None:
    rows = known(by_hand()).rows
    assert rows.index.tolist() == rows["architecture"].tolist() == ["k3e1-skip", "k5e1-k3e1"]
    assert rows["validation_accuracy"].tolist() == [0.55, 0.8]
    assert known(by_hand(), label=1).rows.index.tolist() == ["k3e1-skip", "k5e1-k3e1", "skip-skip"]


def test_only_known_networks_are_searched() -> None:
    space = known(by_hand()).space
    assert isinstance(space, Restricted)
    assert isinstance(space, Enumerable)
    assert (space.networks, space.size) == (2, 4)
    assert space.names(space.enumerate_networks(0, 2)).tolist() == ["k3e1-skip", "k5e1-k3e1"]


def test_evaluations_and_trainings_go_training_by_training() -> None:
    of_two = known(by_hand())
    evaluations = of_two.evaluations(["k5e1-k3e1", "k3e1-skip"])
    assert evaluations[["network", "seed", "accuracy"]].to_numpy().tolist() == [
        ["k5e1-k3e1", 0, 0.7], ["k5e1-k3e1", 1, 0.9], ["k3e1-skip", 0, 0.5], ["k3e1-skip", 1, 0.6],
    ]  # fmt: skip
    assert set(evaluations["source"]) == {"table"}
    trainings = of_two.trainings(["k5e1-k3e1", "k3e1-skip"])
    assert trainings["label_accuracy"].tolist() == [0.7, 0.9, 0.5, 0.6]
    assert trainings["true_accuracy"].tolist() == [0.6, 0.8, 0.4, 0.5]
    assert len(of_two.evaluations([])) == len(of_two.trainings([])) == 0
    assert of_two.evaluations([]).dtypes.equals(evaluations.dtypes)


def test_where_trainings_lack_the_means_count() -> None:
    table = by_hand()
    table.rows.loc[1, "test_accuracy_1"] = np.nan
    trainings = known(table).trainings(["k3e1-skip"])
    assert trainings["seed"].tolist() == [0, 1]
    assert trainings["true_accuracy"].tolist() == [0.45, 0.45]
    means = replace(table, labels=(Label("validation", 100), table.labels[1]))
    trainings = known(means).trainings(["k3e1-skip"])
    assert trainings[["seed", "label_accuracy", "true_accuracy"]].to_numpy().tolist() == [[0, 0.55, 0.45]]


def test_latency_is_that_of_the_canonical_architecture() -> None:
    latency = known(by_hand()).latency("pixel")
    assert latency["k3e1-skip"] == 2.0
    assert np.isnan(latency["k5e1-k3e1"])
    with pytest.raises(ArchatlasError, match=r"`costs\.latency\.column`: the table by_hand has no latency 'energy'"):
        known(by_hand()).latency("energy")
    with pytest.raises(ArchatlasError, match="it has none at all"):
        known(replace(by_hand(), latencies=())).latency("pixel")


@pytest.mark.parametrize(
    ("name", "label", "networks", "size", "trainings"),
    [
        ("nas_bench_201", "validation", 5_425, 15_625, 1),
        ("nas_bench_101", "validation", 3_258, 3_258, 3),
        ("nas_bench_macro", "test", 3_969, 6_561, 3),
    ],
)
def test_public_tables(
    benchmark_data: Path, name: TableName, label: str, networks: int, size: int, trainings: int
) -> None:
    found = known_networks(TableParameters(name=name, path=str(benchmark_data), label=label))
    assert (found.space.networks, found.space.size) == (networks, size)
    assert (found.space.canonicalise(found.choices) == found.choices).all()
    best = found.rows[found.truth.column].idxmax()
    assert found.rows[found.truth.column].max() == found.table.networks().rows[found.truth.column].max()
    assert found.trainings([best])["seed"].tolist() == list(range(trainings))


def test_a_table_is_read_once_until_its_file_changes(benchmark_data: Path) -> None:
    parameters = TableParameters(name="nas_bench_macro", path=str(benchmark_data), label="test")
    assert known_networks(parameters) is known_networks(parameters)
    with pytest.raises(ArchatlasError, match="the table nas_bench_macro has no 'validation' accuracy"):
        known_networks(parameters.model_copy(update={"label": "validation"}))
