"""The page on predictors from a summary written by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from archatlas.predictors.benchmark.parameters import PredictorBenchmarkParameters
from archatlas.predictors.benchmark.row import MEASURED
from archatlas.predictors.benchmark.run import COLUMNS
from archatlas.predictors.benchmark.summary import summarise
from archatlas.reporting.predictor_benchmark.figures import figure_coverage, figure_found, figure_taus
from archatlas.reporting.predictor_benchmark.page import render_benchmark
from archatlas.reporting.predictor_benchmark.tables import (
    goals_table,
    loops_table,
    measures_table,
    median_by_space,
    tau,
    taus_table,
)
from archatlas.reporting.predictor_benchmark.view import Comparison, comparisons

TAUS = {"gp": (0.85, 0.83), "ridge": (0.70, 0.70), "params": (0.65, 0.61)}
LABELS = (78, 156)


@pytest.fixture
def parameters() -> PredictorBenchmarkParameters:
    loops = {name: {"predictor": "gp", "rule": "greedy", "title": f"loop {name}"} for name in ("a", "b")}
    return PredictorBenchmarkParameters.model_validate(
        {
            "seeds": 2,
            "predictors": {
                "ridge": {"family": "ridge", "title": "a ridge"},
                "gp": {"family": "gp"},
                "params": {"family": "params", "title": "params <alone>"},
            },
            "spaces": {
                "nas_bench_201": {"labels": LABELS, "learned": ["test"], "judged": "test", "split": "rows"},
            },
            "acquisition": {"seeds": 3, "loops": loops},
        }
    )


@pytest.fixture
def summary() -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for name, taus in TAUS.items():
        for labels in LABELS:
            slow = name == "params" and labels == 156
            measured = dict.fromkeys(MEASURED, np.nan if slow else 0.5)
            for seed, value in enumerate(taus):
                known = {} if slow else {"kendall_tau": value, "unseen_kendall_tau": value - 0.02, "regret": 0.0123}
                rows.append(
                    {
                        "space": "nas_bench_201", "learned": "test", "judged": "test", "split": "rows",
                        "predictor": name, "family": name, "uses_costs": name == "params", "uses_proxies": False,
                        "labels": labels, "seed": seed, "status": "too slow" if slow else "done", **measured, **known,
                    }
                )  # fmt: skip
    return summarise(pd.DataFrame(rows, columns=list(COLUMNS)))


CEILINGS = pd.DataFrame(
    {"space": "nas_bench_201", "learned": "test", "judged": "test", "ceiling": ["twins"], "kendall_tau": [0.94]}
)


@pytest.fixture
def runs() -> pd.DataFrame:
    made = [
        {
            "space": "nas_bench_201", "observed": "validation", "reported": "test", "loop": loop, "predictor": "gp",
            "family": "gp", "uses_costs": False, "rule": "greedy", "weight": 1.0, "first": 20, "batch": 5,
            "seed": seed, "found": found, "evaluations": count, "best_evaluated": [0.9] * count,
            "chosen_reported": [0.8] * 30 + [0.9] * (count - 30), "process_seconds": 2.0,
        }
        for loop, counts in {"a": (36, 40, 60), "b": (50, 150, 150)}.items()
        for seed, (count, found) in enumerate((count, count < 150) for count in counts)
    ]  # fmt: skip
    return pd.DataFrame(made)


@pytest.fixture
def comparison(summary: pd.DataFrame, parameters: PredictorBenchmarkParameters) -> Comparison:
    (one,) = comparisons(summary, CEILINGS, parameters)
    return one


def texts(table: Any) -> list[list[str]]:
    return [[cell.text.replace("\N{NO-BREAK SPACE}", " ") for cell in row] for row in table.rows]


def test_taus_have_three_decimals() -> None:
    assert tau(0.8424, 0.0031) == ".842 ± .003"
    assert tau(-0.05) == "-.050"
    assert tau(1.0) == "1.000"
    assert tau(float("nan"), 0.1) == "–"


def test_the_best_is_first_and_marked_and_records_stand_below(comparison: Comparison) -> None:
    table = taus_table(comparison)
    assert texts(table) == [
        ["gp", ".840 ± .010", ".840 ± .010"],
        ["a ridge", ".700 ± .000", ".700 ± .000"],
        ["params <alone>", ".630 ± .020", "too slow"],
        ["best published", ".677", ".804"],
        ["known before", ".823", ".864"],
        ["to reach", ".840", ".880"],
    ]
    assert [cell.tone for cell in table.rows[0]] == ["", "best", "best"]
    # Two repetitions, .15 and .13 behind: Student's t has one degree of freedom, and the interval does not reach 0.
    assert table.rows[1][1].tone == ""
    assert table.rows[2][0].note == "costs"
    assert table.rows[0][1].detail == "unseen .820"
    assert table.rows[3][2].detail == "NN-Former"
    assert table.muted == {3, 4, 5}


def test_all_measures_stand_under_their_number_of_labels(comparison: Comparison) -> None:
    rows = texts(measures_table(comparison))
    assert [row[0] for row in rows] == [
        "78 labels", "gp", "a ridge", "params <alone>", "156 labels", "gp", "a ridge",
    ]  # fmt: skip
    assert rows[1][2] == "best"
    assert rows[2][2] == ".140 (0.013 to 0.267)"  # .14 -+ 12.7062 * .01
    assert "1.23 points" in rows[1]


def test_goals_are_counted(comparison: Comparison, runs: pd.DataFrame) -> None:
    medians = median_by_space(runs)
    assert medians == {"nas_bench_201": 40}
    table, reached = goals_table([comparison], medians)
    assert [row[2:4] for row in texts(table)] == [[".840", ".840 ± .010"], [".880", ".840 ± .010"], ["40", "40"]]
    assert reached == 2


def test_loops_that_give_up_have_no_finite_median(runs: pd.DataFrame) -> None:
    rows = texts(loops_table(runs, {"a": "first"}, [20, 40]))
    assert rows[0] == ["first", "gp", "greedy", "20 + 5 each", "40", "3 of 3", "80.00 %", "90.00 %", "2.0 s"]
    assert rows[1][4:6] == ["not found", "1 of 3"]


def test_figures_draw_predictors_records_and_the_ceiling(comparison: Comparison, runs: pd.DataFrame) -> None:
    figure = figure_taus(comparison)
    names = [trace.name for trace in figure.data]
    assert names[:3] == ["gp", "a ridge", "params <alone> (costs)"]
    assert {"HyperNAS", "PINAT", "NN-Former", "NAR-Former V2", "known before", "to reach"} == set(names[3:])
    assert figure.layout.shapes[0].y0 == pytest.approx(0.939)
    assert len({trace.line.color for trace in figure.data[:3]}) == 3
    ridge = next(trace for trace in figure_coverage(comparison).data if trace.name == "a ridge")
    assert ridge.line.color == figure.data[1].line.color
    found = figure_found(runs, {"a": "first"}, "nas_bench_201")
    assert list(found.data[0].x) == [0, 36, 40, 60, 60]
    assert list(found.data[0].y) == pytest.approx([0, 1 / 3, 2 / 3, 1, 1])
    assert list(found.data[1].y)[-1] == pytest.approx(1 / 3)


def test_the_page_escapes_titles_and_opens_offline(
    summary: pd.DataFrame, runs: pd.DataFrame, parameters: PredictorBenchmarkParameters
) -> None:
    page = render_benchmark(summary, CEILINGS, runs, parameters, seed=0)
    assert "params <alone>" not in page
    assert "params &lt;alone&gt;" in page
    assert "default-src 'none'" in page
    assert "2 of 3" in page
    few = parameters.model_copy(update={"use_predictors": "ridge"})
    alone = summary[summary["predictor"] == "ridge"].assign(space="accel_nasbench")
    page = render_benchmark(alone, CEILINGS.iloc[:0], runs.iloc[:0], few, seed=0)
    assert 'id="goals"' not in page
    assert 'id="acquisition"' not in page
