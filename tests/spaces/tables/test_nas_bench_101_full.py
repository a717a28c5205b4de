"""All cells of NAS-Bench-101: what the copy says, against the space and the small copy."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from archatlas.errors import ArchatlasError
from archatlas.predictors.metrics import kendall_tau
from archatlas.spaces.nas_bench_101 import NasBench101
from archatlas.spaces.tables.known import KnownNetworks
from archatlas.spaces.tables.nas_bench_101_full import OneTraining
from archatlas.spaces.tables.parameters import TableParameters
from archatlas.spaces.tables.registry import load_table, table_files
from archatlas.spaces.tables.table import BenchmarkTable

HEAD = "edges,operations,test_correct_of_29952,params\n"


def load(path: Path) -> BenchmarkTable:
    return load_table(TableParameters(name="nas_bench_101", path=str(path)))


@pytest.fixture(scope="module")
def full(benchmark_data: Path) -> BenchmarkTable:
    return load(benchmark_data / "nas_bench_101_full")


def test_it_is_every_network_of_the_space(full: BenchmarkTable) -> None:
    space = full.space
    assert isinstance(space, NasBench101)
    assert len(full) == 423_624  # No cell twice, or it would have been refused.
    some = np.random.default_rng(0).choice(len(full), 3_000, replace=False)
    choices = space.parse(full.rows["network"].iloc[some].to_numpy(dtype=np.str_))
    np.testing.assert_array_equal(space.canonicalise(choices), choices)
    np.testing.assert_array_equal(space.counted_costs(choices)["params"], full.rows["table_params"].iloc[some])
    assert round(100 * full.rows["test_accuracy"].max(), 3) == 94.318
    assert (full.rows["test_accuracy"] >= 0.94).sum() == 52


def test_the_small_copy_agrees_to_the_last_digit(full: BenchmarkTable, benchmark_data: Path) -> None:
    small = load(benchmark_data / "nas_bench_101_subset").rows.drop_duplicates("network")
    whole = full.rows_of(small["network"].tolist())
    np.testing.assert_allclose(small["test_accuracy"], whole["test_accuracy"], rtol=0, atol=1e-6)


def test_20_001_networks_have_validation_accuracies_and_are_searched_by_them(full: BenchmarkTable) -> None:
    known = KnownNetworks(full, full.label("validation"), full.label("test"))
    assert known.space.networks == 20_001
    truth = known.rows["test_accuracy"].to_numpy()
    taus = {
        name: round(kendall_tau(truth, known.rows[f"{name}_accuracy"].to_numpy()), 2)
        for name in ("validation_4", "validation_12", "validation_36", "validation")
    }
    assert taus == {"validation_4": 0.33, "validation_12": 0.46, "validation_36": 0.71, "validation": 0.90}


def test_noise_is_that_of_one_training_at_each_level(full: BenchmarkTable) -> None:
    noise = OneTraining.of(full.rows)
    both = full.rows.dropna(subset="validation_accuracy")
    near = both[both["test_accuracy"].between(0.9295, 0.9305)]
    differences = near["validation_accuracy"] - near["test_accuracy"]
    assert noise.size(np.array([0.93]))[0] == pytest.approx(differences.std(), rel=0.3)
    assert (np.diff(noise.size(np.array([0.70, 0.81, 0.86, 0.90, 0.94]))) < 0).all(), "better networks differ less"
    assert noise.size(np.array([0.82]))[0] < 0.01, "what has failed below says nothing of what has not"
    test = np.repeat(near["test_accuracy"].to_numpy(), 50)
    seen = noise.observed(test, np.random.default_rng(0)) - test
    assert (seen.mean(), seen.std()) == pytest.approx((differences.mean(), differences.std()), abs=2e-4)


def test_random_search_finds_by_it_what_it_finds_by_real_accuracies(full: BenchmarkTable) -> None:
    both, generator = full.rows.dropna(subset="validation_accuracy"), np.random.default_rng(0)
    test, real = (both[f"{one}_accuracy"].to_numpy() for one in ("test", "validation"))
    seen = OneTraining.of(full.rows).observed(test, generator)
    drawn = generator.integers(len(test), size=(3_000, 150))
    by_real, by_seen = (1 - test[drawn[np.arange(3_000), one[drawn].argmax(axis=1)]] for one in (real, seen))
    assert by_seen.mean() == pytest.approx(by_real.mean(), abs=1e-3)
    assert [(one > 0.1).mean() < 0.002 for one in (by_real, by_seen)] == [True, True], "what fails at times is no best"


def test_ratios_of_errors_are_those_of_the_nearest_by_hand() -> None:
    test = np.linspace(0.0, 0.299, 300)
    rows = pd.DataFrame(
        {"test_accuracy": test, "validation_accuracy": 1 - (1 - test) * np.repeat([0.9, 0.8, 0.5], 100)}
    )
    noise = OneTraining.of(pd.concat([rows, rows.assign(validation_accuracy=np.nan)]).sample(frac=1, random_state=0))
    at = np.repeat([0.0, 0.1499, 0.9], 50)
    seen = noise.observed(at, np.random.default_rng(0))
    assert seen[:50] == pytest.approx(0.1)
    assert seen[50:100] == pytest.approx(1 - 0.8501 * 0.8)
    assert seen[100:] == pytest.approx(0.95)
    # At .1 half of the nearest have one ratio and half the other.
    assert noise.size(np.array([0.1, 0.15])) == pytest.approx([0.9 * 0.05 * (20 / 19) ** 0.5, 0.0], abs=1e-9)
    few = OneTraining.of(rows.iloc[[0, 200]])
    assert np.unique(few.observed(at, np.random.default_rng(0))[100:].round(3)).tolist() == [0.91, 0.95]


def test_files_that_are_read_and_where_they_are_found(benchmark_data: Path, tmp_path: Path) -> None:
    folder = benchmark_data / "nas_bench_101_full"
    told = table_files(TableParameters(name="nas_bench_101", path=str(folder)))
    assert {file.name for file in told} == {file.name for file in folder.iterdir()}
    assert len(load(benchmark_data)) == 3_609, "unless it is asked for, the copy with single trainings comes first"
    file = tmp_path / "nas_bench_101_full.csv.gz"
    file.write_bytes(gzip.compress(f"{HEAD}32768,00000,25091,882570\n65537,10000,24595,1920138\n".encode()))
    alone = load(tmp_path)
    assert alone.rows["architecture"].tolist() == [
        "3:0_3:00_3:000_3:0000_3:00000_o:100000",
        "1:1_3:00_3:000_3:0000_3:00000_o:010000",
    ]
    assert alone.rows["validation_accuracy"].isna().all()


@pytest.mark.parametrize("row", ["32768,00003,1,1", "0,00000,1,1", "2097152,00000,1,1", "9,00000,1,1\n9,00000,1,1"])
def test_rows_that_are_no_cell_are_refused(tmp_path: Path, row: str) -> None:
    (tmp_path / "nas_bench_101_full.csv.gz").write_bytes(gzip.compress(f"{HEAD}{row}\n".encode()))
    with pytest.raises(ArchatlasError, match="has a row that is no cell, or one cell twice: get it again"):
        load(tmp_path)
