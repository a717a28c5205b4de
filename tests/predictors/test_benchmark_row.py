from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from archatlas.predictors.benchmark.data import BenchmarkData, Sets
from archatlas.predictors.benchmark.row import MEASURED, judge, measure, precision_at_top, regret
from archatlas.predictors.make import make_predictor
from archatlas.predictors.metrics import kendall_tau
from archatlas.predictors.protocol import Prediction
from archatlas.spaces.nas_bench_201 import NasBench201
from archatlas.spaces.tables.table import BenchmarkTable, Label


def test_precision_is_the_share_of_the_predicted_top_that_is_truly_top() -> None:
    truth = np.arange(10.0)
    assert precision_at_top(truth, truth, top=3) == 1
    assert precision_at_top(truth, -truth, top=3) == 0
    predicted = truth.copy()
    predicted[0] = 8.5  # 9, 0 and 8 are predicted best; 9 and 8 are among 9, 8, 7.
    assert precision_at_top(truth, predicted, top=3) == pytest.approx(2 / 3)


def test_ties_in_prediction_count_by_their_chance_and_ties_in_truth_all() -> None:
    truth = np.arange(10.0)
    assert precision_at_top(truth, np.zeros(10), top=3) == pytest.approx(3 / 10)
    predicted = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1, 2])  # 9 for sure, two of 6, 7, 8, of which two are truly best
    assert precision_at_top(truth, predicted, top=3) == pytest.approx((1 + 2 * 2 / 3) / 3)
    assert precision_at_top(np.array([0, 0, 5, 5, 5, 5]), np.arange(6), top=2) == 1
    assert precision_at_top(np.arange(4.0), np.arange(4.0), top=50) == 1  # half of the four


def test_regret_is_what_the_row_predicted_best_lacks() -> None:
    truth = np.array([0.5, 0.9, 0.7])
    assert regret(truth, np.array([0, 0, 1])) == pytest.approx(0.2)
    assert regret(truth, np.array([0, 1, 1])) == pytest.approx(0.1)


@pytest.fixture(scope="module")
def data() -> BenchmarkData:
    """600 cells of NAS-Bench-201 whose accuracy is by the number of their live convolutions."""
    space = NasBench201("nas_bench_201", (3, 32, 32), 10)
    numbers = np.random.default_rng(0).choice(space.size, 600, replace=False)
    choices = space.cells.numbered(numbers)
    convolutions = (space.prune(choices) == 3).sum(axis=1) + 0.4 * (space.prune(choices) == 2).sum(axis=1)
    rows = pd.DataFrame(
        {
            "architecture": space.names(choices),
            "network": space.names(space.canonicalise(choices)),
            "test_accuracy": 0.5 + 0.05 * convolutions,
        }
    )
    return BenchmarkData.of(BenchmarkTable("cells", space, rows, (Label("test", 10_000),)), "test", "test", "rows")


def test_unseen_rows_share_no_network_and_no_formula_with_the_labels(data: BenchmarkData) -> None:
    sets = data.sets(100, 0)
    generator = np.random.default_rng(1)
    mean = data.truth + generator.normal(scale=0.03, size=len(data))
    row = judge(Prediction(mean, np.full(len(data), 0.03)), data, sets)
    names = data.table.rows["network"]
    unseen = np.flatnonzero(~names.isin(set(names.iloc[sets.learned])))
    assert row["judged_rows"] == 600
    assert row["unseen_rows"] == len(unseen) < 500
    assert row["unseen_kendall_tau"] == kendall_tau(data.truth[unseen], mean[unseen])
    assert 0 < row["unseen_formula_rows"] <= row["unseen_rows"]
    assert row["coverage_80"] == pytest.approx(0.8, abs=0.06)
    assert row["coverage_95"] == pytest.approx(0.95, abs=0.03)


def test_where_nothing_is_unseen_it_is_not_known(data: BenchmarkData) -> None:
    everything = np.arange(len(data))
    row = judge(Prediction(data.truth, np.full(len(data), 0.1)), data, Sets(everything, everything))
    assert row["kendall_tau"] == pytest.approx(1)
    assert row["unseen_rows"] == 0
    assert np.isnan([row["unseen_kendall_tau"], row["unseen_regret"], row["coverage_80"]]).all()


def test_a_measured_row_has_all_columns_and_is_the_same_again_but_for_times(data: BenchmarkData) -> None:
    sets = data.sets(80, 0)
    first, second = (measure(make_predictor("ridge", {}, 0), data, sets) for _ in range(2))
    assert set(first) == set(MEASURED)
    timed = [name for name in MEASURED if "seconds" in name or "second" in name]
    assert {name: first[name] for name in MEASURED if name not in timed} == {
        name: second[name] for name in MEASURED if name not in timed
    }
    assert all(first[name] > 0 for name in timed)
    assert first["kendall_tau"] > 0.7
