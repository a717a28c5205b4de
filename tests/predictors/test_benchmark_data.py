from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from archatlas.errors import ArchatlasError
from archatlas.predictors.benchmark.data import BenchmarkData, ceilings
from archatlas.spaces.chain import ChainSpace
from archatlas.spaces.tables.table import BenchmarkTable, Label
from archatlas.spaces.tables.transnas_bench_101_micro import TransNasBench101Micro


@pytest.fixture
def table(space: ChainSpace) -> BenchmarkTable:
    """Forty rows of networks of several spellings; accuracies grow with the row."""
    networks = space.sample(400, np.random.default_rng(0))
    networks = networks[[len(space.twins(row)) > 1 for row in networks]][:20]
    rows = np.concatenate([space.twins(row)[:2] for row in networks])
    accuracy = np.linspace(0.5, 0.7, 40)
    return BenchmarkTable(
        "small",
        space,
        pd.DataFrame(
            {
                "architecture": space.names(rows),
                "network": space.names(space.canonicalise(rows)),
                "run": np.repeat(["a", "b", "c", "d"], 10),
                "test_accuracy": accuracy,
                "validation_accuracy": np.where(np.arange(40) < 4, np.nan, accuracy[::-1]),
            }
        ),
        (Label("test", 100), Label("validation", 400)),
    )


def test_by_rows_all_are_judged_and_fewer_labels_are_the_first_of_more(table: BenchmarkTable) -> None:
    data = BenchmarkData.of(table, "test", "test", "rows")
    few, many = data.sets(10, 3), data.sets(20, 3)
    assert few.judged.tolist() == list(range(40))
    assert many.learned[:10].tolist() == few.learned.tolist()
    assert len(set(many.learned)) == 20
    assert data.sets(10, 4).learned.tolist() != few.learned.tolist()


def test_by_networks_twins_are_one_row_and_what_is_learned_is_not_judged(table: BenchmarkTable) -> None:
    data = BenchmarkData.of(table, "test", "test", "networks")
    assert len(data) == 20
    np.testing.assert_allclose(
        data.truth[:2], [table.rows["test_accuracy"][:2].mean(), table.rows["test_accuracy"][2:4].mean()]
    )
    sets = data.sets(12, 0)
    assert sorted([*sets.learned, *sets.judged]) == list(range(20))


def test_by_runs_no_network_of_the_judged_run_is_learned_from(table: BenchmarkTable) -> None:
    shared = table.rows.assign(run=np.tile(["a", "b", "c", "d"], 10))  # Twins are in two runs.
    data = BenchmarkData.of(replace(table, rows=shared), "test", "test", "runs")
    for seed in range(5):
        sets = data.sets(10, seed)
        assert set(shared["run"].iloc[sets.judged]) == {"abcd"[seed % 4]}
        assert not set(data.networks[sets.learned]) & set(data.networks[sets.judged])
        assert len(set(data.networks[sets.learned])) == 10
    with pytest.raises(ArchatlasError, match="asks for 11 labels, but there are 10 rows to draw from"):
        data.sets(11, 0)
    with pytest.raises(ArchatlasError, match="has no runs"):
        BenchmarkData.of(replace(table, rows=table.rows.drop(columns="run")), "test", "test", "runs")


def test_rows_that_lack_an_accuracy_are_left_out_and_noise_is_binomial(table: BenchmarkTable) -> None:
    data = BenchmarkData.of(table, "validation", "test", "rows")
    assert len(data) == 36
    evaluations = data.evaluations(np.array([0]))
    score = evaluations.score[0]
    assert score == table.rows["validation_accuracy"][4]
    assert evaluations.noise[0] == pytest.approx(np.sqrt(score * (1 - score) / 400))
    assert data.truth[0] == table.rows["test_accuracy"][4]


def test_formulas_are_those_of_cells(table: BenchmarkTable) -> None:
    assert BenchmarkData.of(table, "test", "test", "rows").formulas is None
    other = TransNasBench101Micro("other", (3, 8, 8), 3)
    choices = other.sample(12, np.random.default_rng(0))
    names = other.names(choices)
    rows = pd.DataFrame({"architecture": names, "network": names, "test_accuracy": np.linspace(0, 1, 12)})
    cells = BenchmarkData.of(BenchmarkTable("other", other, rows, (Label("test", 10),)), "test", "test", "rows")
    assert cells.formulas is not None
    assert cells.formulas.tolist() == other.formulas(choices).tolist()


def test_ceilings_by_hand(table: BenchmarkTable) -> None:
    four = table.rows.iloc[:4].assign(network=["x", "x", "y", "y"])
    made = replace(table, rows=four.assign(test_accuracy=[0.1, 0.2, 0.4, 0.3]))
    assert dict(ceilings(made, "test", "test")) == {}  # Two networks are few.
    found = dict(ceilings(made, "test", "test", fewest_twins=2))
    assert found["twins"] == 1.0  # .1 and .4 against .2 and .3
    assert found["twins_mean"] == pytest.approx(1 / 3)  # (.1 .2 .4 .3) against (.2 .1 .3 .4): 4 of 6 pairs agree
    learned = made.rows.assign(validation_accuracy=[0.4, 0.1, 0.3, 0.5])
    found = dict(ceilings(replace(made, rows=learned), "validation", "test"))
    assert found["labels"] == pytest.approx(1 / 3 - 1 / 3)  # (.1 .2 .4 .3) against (.4 .1 .3 .5): 3 of 6 pairs agree
    assert found["labels_by_network"] == pytest.approx(4 / np.sqrt(6 * 4))  # .25 .25 .4 .4
