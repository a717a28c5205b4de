"""Benchmarks: what they keep, in which units methods see scores, and what their tables say."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from benchmarks import gram, nas_bench_101_search, pruning, recipes
from benchmarks.__main__ import BENCHMARKS
from benchmarks.kept import imported, work_of

from archatlas.images.preparing import PreparedImages
from archatlas.kedro_ext.module_code import ModuleCode
from archatlas.kedro_ext.source_code import SourceCode
from archatlas.storage.work_store import WorkStore
from archatlas.verification.parameters import FinishingParameters
from archatlas.verification.trainings import Trainings

FOLDER = Path(nas_bench_101_search.__file__).parent


def test_all_that_run_one_after_another_are_there() -> None:
    assert [name for name in BENCHMARKS if find_spec(f"benchmarks.{name}") is None] == []


def test_what_a_benchmark_keeps_goes_with_its_code_and_not_with_what_it_prints(tmp_path: Path) -> None:
    def folder(text: str) -> Path:
        (tmp_path / "some.py").write_text(text, encoding="utf-8")
        return work_of(str(tmp_path / "some.py"), "printed", folder=tmp_path / "work").folder

    head = "from archatlas.systems import ledger\n"
    first = folder(head + "def measured():\n    return 1\n\ndef printed():\n    print(1)\n")
    assert first.parent.parent == tmp_path / "work" / "some_benchmark"
    assert folder(head + "def measured():\n    '''One.'''\n    return 1\n\ndef printed():\n    print(2)\n") == first
    assert folder(head + "def measured():\n    return 2\n\ndef printed():\n    print(1)\n") != first
    assert folder("def measured():\n    return 1\n\ndef printed():\n    print(1)\n") != first, "nothing is reached"


@pytest.mark.parametrize(
    ("benchmark", "modules"),
    [
        (
            "nas_bench_101_search",
            ["systems.nasgem.method", "systems.regularised_evolution", "systems.random_search", "spaces.nas_bench_101",
             "spaces.vertex_cells", "spaces.tables.nas_bench_101_full", "predictors.families.nasgem",
             "predictors.families.gaussian_process", "predictors.graph_networks.kernel_encoder",
             "encodings.wl_features"],
        ),
        (
            "encoders",
            ["predictors.families.nasgem", "predictors.families.gaussian_process", "predictors.benchmark.data",
             "predictors.metrics", "predictors.graph_networks.kernel_encoder", "encodings.wl_features",
             "spaces.nas_bench_101", "spaces.tables.nas_bench_101_full"],
        ),
    ],
)  # fmt: skip
def test_what_searches_and_encoders_reach_by_name_counts(benchmark: str, modules: list[str]) -> None:
    reach = SourceCode("archatlas").reached_by_modules(*imported(ModuleCode(benchmark, FOLDER / f"{benchmark}.py")))
    reached = {str(file).rpartition("/archatlas/")[2].removesuffix(".py").replace("/", ".") for file in reach.files}
    assert set(modules) <= reached


def test_a_recipe_is_trained_by_as_many_processes_as_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def trainings(*asked: str) -> Trainings:
        monkeypatch.setattr("sys.argv", ["recipes", "--images", "x", "--networks", "y", *asked])
        recipe = FinishingParameters(processes=recipes.read_options().processes)
        return recipes.trainings_of(nothing, recipe, 7, flip=False)

    nothing = PreparedImages(*[None] * 6)  # type: ignore[arg-type]
    assert trainings().processes == 1
    shared = trainings("--processes", "2")
    assert (shared.processes, shared.training.epochs, shared.augmentation.flip) == (2, 7, False)


def test_what_is_observed_is_a_part_of_what_a_search_is_kept_under() -> None:
    def known(choices: list[int], observed: list[float]) -> nas_bench_101_search.Known:
        rows = np.array([choices], dtype=np.int8).T
        return nas_bench_101_search.Known(None, rows, np.zeros(2), np.array(observed))  # type: ignore[arg-type]

    contents = [known([0, 1], [0.5, 0.6]), known([0, 1], [0.5, 0.7]), known([1, 0], [0.5, 0.6])]
    assert len({one.content for one in contents}) == 3
    assert known([0, 1], [0.5, 0.6]).content == contents[0].content


def test_every_reach_of_the_table_of_searches_is_half_of_an_interval() -> None:
    errors = {"random": [6.0, 6.2, 6.4], "nasgem": [5.8, 5.9, 6.3]}
    rows = [
        {"method": method, "seed": seed, "error": error, "first_good": np.nan if seed else 30.0}
        for method, of_method in errors.items()
        for seed, error in enumerate(of_method)
    ]
    *_, best, control = nas_bench_101_search.lines(pd.DataFrame(rows))
    # 4.303 of two degrees of freedom, times the spread over the root of three.
    assert best == "| nasgem | 6.000 ± 0.657 | 0.200 ± 0.248 | - | 1 of 3 |"
    assert control == "| random | 6.200 ± 0.497 | - | - | 1 of 3 |"


def test_every_way_of_pruning_leaves_a_part_within_the_bound(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    options = pruning._parse(["--quick", "--share", "0.7", "--workers", "1"])
    setting = pruning.setting_of(options, WorkStore(tmp_path))
    monkeypatch.setattr(pruning, "meta_graph", lambda setting, seed: np.linspace(1, 2, len(setting.space.edges)))
    drawn = setting.drawn(8, np.random.default_rng(0))
    row = drawn[int(setting.macs(drawn).argmax())]
    left = pruning.smaller(setting, row, setting.job(row, 0).build().state_dict(), seed=0)
    assert len(left) == 4
    for one in left.values():
        assert (one <= row).all()
        assert setting.macs(one[None])[0] <= 0.7 * setting.macs(row[None])[0]
    # Rising weights are equal ones in the order of positions.
    assert (left["lightest edges, learned"] == left["lightest edges, equal weights"]).all()
    assert not list(tmp_path.iterdir()), "nothing was trained"


def test_pruned_networks_are_compared_with_one_that_has_been_trained_as_long() -> None:
    rows = [
        (seed, network, share, 9, again + seed, scratch)
        for seed in range(3)
        for network, share, again, scratch in (
            (pruning.WHOLE, 1.0, np.nan, 97.0), (pruning.BESIDE, 0.6, 96.0, 94.0), ("random edges", 0.5, 95.0, 95.0)
        )
    ]  # fmt: skip
    *_, whole, beside, random = pruning.lines(pd.DataFrame(rows, columns=pruning.COLUMNS))
    assert whole == "| the whole network | 1.00 | 9.0 |  | 97.00 ± 0.00 |  |  |"
    assert beside == "| never pruned | 0.60 | 9.0 | 97.00 ± 2.48 | 94.00 ± 0.00 |  |  |"
    assert random == "| random edges | 0.50 | 9.0 | 96.00 ± 2.48 | 95.00 ± 0.00 | -1.00 ± 0.00 | +1.00 ± 0.00 |"


def test_the_published_update_is_tried_on_both_units_of_accuracy() -> None:
    seen: dict[str, float] = {}

    class Asking:
        def __init__(self, name: str) -> None:
            self.name = name

        def search(self, problem: Any, evaluator: Any, ledger: Any, generator: Any) -> pd.DataFrame:
            seen[self.name] = float(evaluator.evaluate(np.zeros((1, 1), dtype=np.int8))["accuracy"].iloc[0])
            return pd.DataFrame()

    class Observer:
        def evaluate(self, choices: Any) -> pd.DataFrame:
            return pd.DataFrame({"network": ["a"], "accuracy": [0.25]})

    for method in (Asking("as it is"), gram.InPercent(Asking("in %"))):  # type: ignore[arg-type]
        method.search(None, Observer(), None, None)  # type: ignore[arg-type]
    assert seen == {"as it is": 0.25, "in %": 25.0}
    published = "gram, as published, alpha 1, accuracy"
    assert gram.OF_TABLE[f"{published} in %"] == gram.InPercent(gram.OF_TABLE[f"{published} from 0 to 1"])
