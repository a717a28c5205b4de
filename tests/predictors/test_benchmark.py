"""The benchmark on small tables that are written here, in the forms of their public files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from archatlas.engines.engine import using
from archatlas.errors import ArchatlasError
from archatlas.predictors.benchmark.acquisition_table import acquisition_table
from archatlas.predictors.benchmark.parameters import BenchmarkedPredictor, PredictorBenchmarkParameters
from archatlas.predictors.benchmark.plan import describe_benchmark
from archatlas.predictors.benchmark.row import MEASURED
from archatlas.predictors.benchmark.run import COLUMNS, Contender, benchmark, ceilings_table, contenders
from archatlas.spaces.presets import preset
from archatlas.storage.work_store import WorkStore

if TYPE_CHECKING:
    from tests.predictors.conftest import Elsewhere


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 150 networks of NAS-Bench-Macro and 80 cells of TransNAS-Bench-101, with made-up accuracies."""
    folder = tmp_path_factory.mktemp("tables")
    generator = np.random.default_rng(0)
    space = preset("nas_bench_macro", (3, 32, 32), 10)
    choices = space.sample(150, generator)
    truth = 85 + choices.sum(axis=1) / 3 + generator.normal(scale=0.2, size=(3, 150))
    entries = {
        str(name): {"test_acc": row, "mean_acc": 0, "std": 0, "params": 1000 + 7 * index, "flops": 5000}
        for index, (name, row) in enumerate(zip(space.names(choices), truth.T.tolist(), strict=True))
    }
    (folder / "nas-bench-macro_cifar10.json").write_text(json.dumps(entries))
    cells = [tuple(row) for row in generator.integers(0, 4, size=(80, 6)).tolist()]
    pd.DataFrame(
        {
            "net": [str(cell) for cell in cells],
            "val_accs": [40 + 2 * cell.count(3) + cell.count(2) for cell in cells],
            "params": 1.0,
            "flops": 1.0,
        }
    ).to_csv(folder / "tnb101_micro_valid_nets.csv")
    return folder


@pytest.fixture
def asked(tables: Path) -> Callable[..., PredictorBenchmarkParameters]:
    def parameters(**changes: Any) -> PredictorBenchmarkParameters:
        macro = {"labels": [20, 40], "learned": ["test"], "judged": "test", "split": "networks"}
        cells = {"labels": [30], "learned": ["validation"], "judged": "validation", "split": "rows"}
        loop = {"predictor": "ridge", "rule": "greedy", "first": 10, "batch": 5}
        made: dict[str, Any] = {
            "path": str(tables),
            "seeds": 2,
            "predictors": {
                "ridge": {"family": "ridge"},
                "counts": {"family": "ridge", "settings": {"features": "kinds"}},
                "params": {"family": "params"},
            },
            "spaces": {"nas_bench_macro": macro, "transnas_bench_101_micro": cells},
            "acquisition": {
                "space": "nas_bench_macro", "observed": "test", "seeds": 3, "most": 60, "loops": {"ridge": loop},
            },
        }  # fmt: skip
        return PredictorBenchmarkParameters.model_validate(made | changes)

    return parameters


@pytest.fixture
def store_of(tmp_path: Path) -> Callable[..., WorkStore]:
    return lambda *modules: WorkStore(tmp_path / "-".join(name.rpartition(".")[2] for name in modules))


def parts(folder: Path) -> dict[Path, float]:
    return {file: file.stat().st_mtime_ns for file in folder.rglob("*.json")}


def test_every_predictor_gets_the_same_labels_in_each_repetition(
    asked: Callable[..., PredictorBenchmarkParameters], store_of: Callable[..., WorkStore]
) -> None:
    rows = benchmark(asked(), 7, store_of)
    assert list(rows.columns) == list(COLUMNS)
    assert len(rows) == (2 + 1) * 3 * 2
    assert set(rows["seed"]) == {7, 8}
    macro = rows[rows["space"] == "nas_bench_macro"]
    assert macro.groupby("labels")["judged_rows"].unique().to_dict() == {20: [130], 40: [110]}
    assert macro.groupby("predictor")["kendall_tau"].mean()["ridge"] > 0.7
    assert macro.set_index("predictor")["uses_costs"].groupby(level=0).first().to_dict() == {
        "counts": False, "params": True, "ridge": False,
    }  # fmt: skip
    cells = rows[rows["space"] == "transnas_bench_101_micro"]
    assert set(cells["judged_rows"].dropna()) == {80}
    assert (cells["unseen_formula_rows"].dropna() < 80).all()


def test_rows_that_are_there_are_not_made_again(
    asked: Callable[..., PredictorBenchmarkParameters], store_of: Callable[..., WorkStore], tmp_path: Path
) -> None:
    first = benchmark(asked(use_spaces="nas_bench_macro", seeds=1), 0, store_of)
    before = parts(tmp_path)
    assert len(before) == 2 * 3
    second = benchmark(asked(use_spaces="nas_bench_macro"), 0, store_of)
    assert {file: parts(tmp_path)[file] for file in before} == before
    assert len(parts(tmp_path)) == 2 * 3 * 2
    again = second[second["seed"] == 0].reset_index(drop=True)
    pd.testing.assert_frame_equal(first, again)
    victim = next(file for file in before if "20-0" in file.name)
    victim.write_bytes(victim.read_bytes()[:-3])  # A damaged part is made anew, alone.
    benchmark(asked(use_spaces="nas_bench_macro"), 0, store_of)
    assert [file for file in before if parts(tmp_path)[file] != before[file]] == [victim]


def test_rows_made_elsewhere_are_those_made_here_and_are_kept_when_it_dies(
    asked: Callable[..., PredictorBenchmarkParameters], tmp_path: Path, elsewhere: Elsewhere
) -> None:
    def made(place: str) -> pd.DataFrame:
        rows = benchmark(asked(), 7, lambda *modules: WorkStore(tmp_path / place / modules[0]))
        return rows.drop(columns=[name for name in MEASURED if "second" in name])

    here = made("here")
    elsewhere.dies_after = 5
    with using(elsewhere):
        with pytest.raises(KeyboardInterrupt):
            made("there")
        assert len(parts(tmp_path / "there")) == 5
        elsewhere.dies_after = 100
        pd.testing.assert_frame_equal(made("there"), here, check_exact=True)
        assert len(elsewhere.ended) == len(here) == len(parts(tmp_path / "there")) == 18
        pd.testing.assert_frame_equal(made("there"), here, check_exact=True)
    assert len(elsewhere.ended) == 18


def test_loops_run_elsewhere_are_those_run_here(
    asked: Callable[..., PredictorBenchmarkParameters], tmp_path: Path, elsewhere: Elsewhere
) -> None:
    def run(place: str) -> pd.DataFrame:
        return acquisition_table(asked(), 0, lambda *_: WorkStore(tmp_path / place)).drop(columns="process_seconds")

    here = run("here")
    with using(elsewhere):
        pd.testing.assert_frame_equal(run("there"), here, check_exact=True)
        run("there")
    assert elsewhere.ended == [("ridge", 2), ("ridge", 1), ("ridge", 0)]


def test_other_settings_have_other_rows(
    asked: Callable[..., PredictorBenchmarkParameters], store_of: Callable[..., WorkStore], tmp_path: Path
) -> None:
    raw = {"ridge": {"family": "ridge", "settings": {"transform": "raw"}}}
    for predictors in ({"ridge": {"family": "ridge"}}, raw):
        changed = asked(predictors=predictors, use_spaces="nas_bench_macro", most_labels=20, seeds=1)
        benchmark(changed, 0, store_of)
    assert len(parts(tmp_path)) == 2


def test_a_slow_predictor_gets_no_larger_training_sets(
    asked: Callable[..., PredictorBenchmarkParameters], store_of: Callable[..., WorkStore]
) -> None:
    rows = benchmark(asked(use_spaces="nas_bench_macro", longest_fit_s=1e-9), 0, store_of)
    assert rows.groupby("labels")["status"].unique().to_dict() == {20: ["done"], 40: ["too slow"]}


def test_loops_are_repeated_and_kept(
    asked: Callable[..., PredictorBenchmarkParameters], store_of: Callable[..., WorkStore], tmp_path: Path
) -> None:
    runs = acquisition_table(asked(), 0, store_of)
    assert runs["seed"].tolist() == [0, 1, 2]
    assert runs["found"].all()
    assert (runs["evaluations"] < 60).all()
    before = parts(tmp_path)
    pd.testing.assert_frame_equal(acquisition_table(asked(), 0, store_of), runs)
    assert parts(tmp_path) == before
    assert acquisition_table(asked(use_predictors="params"), 0, store_of).empty


def test_ceilings_of_what_is_compared(asked: Callable[..., PredictorBenchmarkParameters]) -> None:
    found = ceilings_table(asked())
    macro = found[found["space"] == "nas_bench_macro"].set_index("ceiling")["kendall_tau"]
    assert set(macro.index) == {"one_training_another", "one_training_rest"}
    assert macro["one_training_rest"] > macro["one_training_another"]


def test_what_is_used_can_be_narrowed_and_unknown_names_are_refused(
    asked: Callable[..., PredictorBenchmarkParameters],
) -> None:
    some = asked(use_predictors="ridge params", use_spaces="nas_bench_macro", most_labels=30)
    assert list(some.chosen_predictors) == ["ridge", "params"]
    assert {name: one.labels for name, one in some.chosen_spaces.items()} == {"nas_bench_macro": (20,)}
    assert some.used_tables == ["nas_bench_macro"]
    assert [one.name for one in contenders(some)] == ["ridge", "params"]
    with pytest.raises(ValidationError, match="there is no 'ridges' among ridge, counts, params"):
        asked(use_predictors="ridges")
    with pytest.raises(ValidationError, match=r"the loop 'ridge' asks for .*'ridge', which is not among"):
        asked(predictors={"params": {"family": "params"}, "ridge": None})
    with pytest.raises(ArchatlasError, match="no setting 'feature'; did you mean `features`"):
        Contender.of("mine", BenchmarkedPredictor(family="ridge", settings={"feature": 1}))


def test_the_plan_counts_fits_and_loops(asked: Callable[..., PredictorBenchmarkParameters]) -> None:
    what, seconds = describe_benchmark(asked())
    assert what == "18 fits to labels of 2 spaces, 3 acquisition loops, less what is there"
    assert 0 < seconds < 60
    assert describe_benchmark(asked(seeds=20))[1] > seconds
