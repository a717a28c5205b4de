"""Two and three tiny experiments side by side, by values computed by hand."""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from archatlas.errors import ArchatlasError
from archatlas.pipelines.compare_experiments.nodes import write_comparison
from archatlas.reporting.comparison.experiments import Experiment, read_experiments
from archatlas.reporting.comparison.figures import figure_fronts, figure_winners
from archatlas.reporting.comparison.page import headline, summary, tiles
from archatlas.reporting.comparison.tables import (
    metrics_table,
    parameters_that_differ,
    runs_table,
    winners_table,
)
from archatlas.reporting.html import Tile
from archatlas.reporting.numbers import DASH
from archatlas.reporting.parameters import CompareParameters
from archatlas.reporting.tables import Table

WINNER = {
    "budget": "small", "status": "found", "architecture": "k3e1", "predicted": 0.8, "test_accuracy_mean": 0.9,
    "test_accuracy_std": 0.01, "random_accuracy_mean": 0.87, "mobilenet_accuracy_mean": None, "macs": 1000,
    "params": 100, "latency_ms": 0.5,
}  # fmt: skip
METRICS: dict[str, Any] = {
    "space": {"name": "digits", "size": 12, "networks": 10},
    "supernet": {"seconds": 30.0},
    "evaluations": {"count": 4, "architectures_per_second": 2.0},
    "predictor": {"name": "gcn", "kendall_tau": 0.5, "baselines": {"ridge": 0.4, "lightgbm": None}},
    "audit": {"count": 6, "tau_predictor": 0.6, "tau_predictor_ci": [0.5, 0.7], "tau_supernet": None},
    "atlas": {"rows": 10, "architectures_per_second": 100.0, "peak_memory_mib": 50.0},
    "winners": [WINNER],
    "export": {"max_abs_difference": 1e-6},
    "seconds_total": 60.0,
}
FRONT = pd.DataFrame(
    {
        "cost": ["macs", "macs", "params", "latency_ms"],
        "network": ["b", "a", "a", "b"],
        "predicted_score": [0.8, 0.7, 0.7, 0.8],
        "macs": [2000, 1000, 1000, 2000],
        "params": [200, 100, 100, 200],
        "predicted_latency_ms": [0.4, 0.3, 0.3, 0.4],
    }
)
PARAMETERS: dict[str, Any] = {
    "experiment": "one",
    "seed": 0,
    "space": {"stages": [{"width": 8}, {"width": 16}], "choices": ["k3e1", "skip"]},
    "predictor": {"target": "accuracy"},
    "search": {"budgets": {"small": {"max_macs": "15%"}}},
}


class Store:
    """Experiments as runs leave them: metrics and fronts in files, manifests that name these."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifests: dict[str, dict[str, Any]] = {}

    def add(
        self,
        name: str,
        metrics: dict[str, Any] = METRICS,
        parameters: dict[str, Any] = PARAMETERS,
        front: pd.DataFrame = FRONT,
        test_images: str = "images",
        **changes: Any,
    ) -> None:
        (self.folder / name).mkdir()
        (self.folder / name / "metrics.json").write_text(json.dumps(metrics))
        front.to_parquet(self.folder / name / "pareto_front.parquet")
        outputs = {file.stem: self._artifact(file) for file in (self.folder / name).iterdir()}
        images = {"path": "test_images", "version": "S", "size": 1, "sha256": test_images}
        self.manifests[name] = {
            "session": f"session-{name}",
            "ended": "2026-01-02T03:04:05.678+00:00",
            "command": "kedro run",
            "git": {"commit": "0123456789abcdef", "dirty": False},
            "parameters": {**parameters, "experiment": name},
            "seeds": {"seed": parameters["seed"]},
            "libraries": {"torch": "2.9.1", "kedro": "1.7.0"},
            "python": "3.11.4",
            "hardware": {"host": "workshop", "cpu": "A Processor", "cores": 2, "memory_mib": 100, "gpus": []},
            "nodes": {"split": {"outputs": {"test_images": images}}, "report": {"outputs": outputs}},
            **changes,
        }

    def read(self, *names: str) -> list[Experiment]:
        return read_experiments(self.manifests, names)

    @staticmethod
    def _artifact(file: Path) -> dict[str, Any]:
        content = file.read_bytes()
        return {
            "path": str(file), "version": "S", "size": len(content), "sha256": hashlib.sha256(content).hexdigest()
        }  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def with_changes(document: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A copy in which dotted keys, with ``__`` for a dot, have other values."""
    changed = copy.deepcopy(document)
    for dotted, value in changes.items():
        *above, last = dotted.split("__")
        inner: Any = changed
        for key in above:
            inner = inner[int(key) if key.isdigit() else key]
        inner[last] = value
    return changed


def rows(table: Table) -> dict[str, list[str]]:
    """Texts by the first cell, the best in stars, the muted in brackets."""
    marks = {"": "{}", "best": "*{}*", "muted": "({})"}
    return {
        row[0].text: [marks[cell.tone].format(cell.text.replace("\N{NO-BREAK SPACE}", " ")) for cell in row[1:]]
        for row in table.rows
    }


def test_parameters_that_differ_stand_with_dotted_keys(store: Store) -> None:
    store.add("one")
    wide = with_changes(PARAMETERS, space__stages=[{"width": 8}, {"width": 32}, {"width": 64}], seed=1)
    store.add("two", parameters=with_changes(wide, search__budgets={"small": {"max_macs": "15%"}, "tiny": None}))
    assert rows(parameters_that_differ(store.read())) == {
        "seed": ["0", "1"],
        "space.stages.1.width": ["16", "32"],
        "space.stages.2.width": [DASH, "64"],
        "search.budgets.tiny": [DASH, "null"],
    }


def test_what_most_have_in_common_recedes(store: Store) -> None:
    store.add("one")
    store.add("two", parameters=with_changes(PARAMETERS, space__choices=["k5e6"]))
    store.add("three")
    table = parameters_that_differ(store.read("one", "two", "three"))
    assert rows(table) == {"space.choices": ['(["k3e1", "skip"])', '["k5e6"]', '(["k3e1", "skip"])']}
    assert [title for title, _ in table.columns] == ["parameter", "one", "two", "three"]


def test_metrics_stand_side_by_side_and_the_best_is_marked(store: Store) -> None:
    store.add("one")
    better = {"test_accuracy_mean": 0.95, "test_accuracy_std": None, "random_accuracy_mean": 0.94, "macs": 900}
    other = with_changes(
        METRICS, audit__tau_predictor=0.7, audit__tau_predictor_ci=[0.6, 0.8], predictor__kendall_tau=0.5,
        evaluations__architectures_per_second=1.0, supernet__seconds=20.0, seconds_total=None,
        winners=[WINNER | better, {"budget": "tiny", "status": "none", "test_accuracy_mean": None}],
    )  # fmt: skip
    store.add("two", metrics=other)
    assert rows(winners_table(store.read())) == {
        "Overall": [],
        "budgets with a winner": ["1 of 1", "1 of 2"],
        "best test accuracy": ["90.0 %", "*95.0 %*"],
        "distinct networks in the space": ["10", "10"],
        "Winner of budget small": [],
        "network": ["k3e1", "k3e1"],
        "test accuracy": ["90.0 % ± 1.0", "*95.0 %*"],
        "more than random networks trained alike": ["*+3.0 points*", "+1.0 points"],
        "MACs": ["1 k", "900"],
        "params": ["100", "100"],
        "latency, median": ["0.500 ms", "0.500 ms"],
    }
    table = metrics_table(store.read())
    assert rows(table) == {
        "Audit: rank correlation with networks trained alone (Kendall tau-b)": [],
        "networks": ["6", "6"],
        "Predictor: rank correlation with scores that it has not seen (Kendall tau-b)": [],
        "family": ["gcn", "gcn"],
        "predictor": ["0.50", "0.50"],  # of the last group with this label
        "ridge": ["0.40", "0.40"],
        "Effort": [],
        "evaluations": ["4", "4"],
        "subnets evaluated a second": ["*2*", "1"],
        "networks in the atlas": ["10", "10"],
        "networks predicted a second": ["100", "100"],
        "peak memory of mapping": ["50 MiB", "50 MiB"],
        "super-networks' training": ["30 s", "*20 s*"],
        "all stages": ["1 min 00 s", DASH],
    }
    (audited,) = (row for row in table.rows if row[-1].detail)
    assert [(cell.text, cell.detail, cell.tone) for cell in audited] == [
        ("predictor", "", ""), ("0.60", "0.50 to 0.70", ""), ("0.70", "0.60 to 0.80", "best")
    ]  # fmt: skip


def test_rank_correlations_with_a_public_table_stand_with_those_of_the_better_half(store: Store) -> None:
    def against_truth(tau: float) -> dict[str, Any]:
        scorers = {
            "supernet_log_loss": {"kendall_tau": tau, "kendall_tau_top_half": tau / 2},
            "macs": {"kendall_tau": 0.546, "kendall_tau_top_half": None},
        }
        return {"networks": 3969, "scorers": scorers, "ceilings": {"one_training_rest": 0.896}}

    store.add("one", metrics={**METRICS, "truth": against_truth(0.7)})
    store.add("two", metrics={**METRICS, "truth": against_truth(0.8)})
    store.add("without")
    table = metrics_table(store.read("one", "two", "without"))
    raw, macs, ceiling = (
        next(row for row in table.rows if row[0].text.startswith(label))
        for label in ("super-network, log loss", "MACs alone", "ceiling: one training")
    )
    assert [(cell.text, cell.detail, cell.tone) for cell in raw[1:]] == [
        ("0.70", "better half 0.35", ""), ("0.80", "better half 0.40", "best"), (DASH, "", "")
    ]  # fmt: skip
    assert [(cell.text, cell.detail, cell.tone) for cell in macs[1:3]] == [("0.55", "", "")] * 2
    assert [cell.text for cell in ceiling[1:]] == ["0.90", "0.90", DASH]
    assert not any(row[0].text == "calibrated predictor" for row in table.rows)


def test_nothing_is_best_where_it_was_not_measured_alike(store: Store) -> None:
    store.add("one")
    better = {"winners__0__test_accuracy_mean": 0.95, "supernet__seconds": 1.0, "predictor__kendall_tau": 0.6}
    store.add(
        "two",
        metrics=with_changes(METRICS, **better),
        test_images="others",
        hardware={"host": "workshop", "cpu": "Another", "cores": 2, "memory_mib": 100, "gpus": []},
    )  # fmt: skip
    assert rows(winners_table(store.read()))["test accuracy"] == ["90.0 % ± 1.0", "95.0 % ± 1.0"]
    found = rows(metrics_table(store.read()))
    assert found["super-networks' training"] == ["30 s", "1.0 s"]
    assert found["predictor"] == ["0.50", "*0.60*"]


def test_how_each_was_made_names_libraries_only_where_they_differ(store: Store) -> None:
    store.add("one", git={"commit": "f" * 40, "dirty": True})
    elsewhere = {"host": "laptop", "cpu": "A Processor", "cores": 2, "memory_mib": 100, "gpus": []}
    store.add(
        "two", libraries={"torch": "2.8.0", "kedro": "1.7.0"}, git={"commit": None, "dirty": None}, hardware=elsewhere,
        command="kedro run --params images.path=/home/someone/cats",
    )  # fmt: skip
    assert rows(runs_table(store.read())) == {
        "finished": ["2026-01-02 03:04 UTC"] * 2,
        "session": ["session-one", "session-two"],
        "commit": ["ffffffffffff, with uncommitted changes", "not known"],
        "command": ["kedro run", "kedro run --params images.path=.../cats"],
        "seeds": ["seed 0"] * 2,
        "machine": ["1", "2"],
        "processor": ["A Processor, 2 cores"] * 2,
        "GPUs in use": ["none"] * 2,
        "Python": ["3.11.4"] * 2,
        "torch": ["2.9.1", "2.8.0"],
    }


def test_fronts_lie_over_each_other(store: Store) -> None:
    store.add("one")
    store.add("two", front=FRONT[FRONT["cost"] == "params"])
    macs, params = (figure_fronts(store.read(), cost) for cost in ("macs", "params"))
    assert [(line.name, list(line.x), list(line.y), list(line.text)) for line in macs.data] == [
        ("one", [1000, 2000], [0.7, 0.8], ["a", "b"])
    ]
    assert [line.name for line in params.data] == ["one", "two"]
    assert params.data[0].line.color != params.data[1].line.color
    assert list(figure_fronts(store.read(), "latency_ms").data[0].x) == [0.4]


def test_winners_stand_with_what_they_cost(store: Store) -> None:
    store.add("one")
    large = WINNER | {"budget": "large", "macs": 500, "test_accuracy_mean": 0.85, "test_accuracy_std": None}
    lost = {"budget": "fast", "status": "none", "macs": None, "test_accuracy_mean": None}
    store.add("two", metrics=with_changes(METRICS, winners=[WINNER, large, lost]))
    _, two = figure_winners(store.read(), "macs").data
    assert (list(two.x), list(two.y), list(two.text)) == ([500, 1000], [0.85, 0.9], ["large", "small"])
    assert list(two.error_y.array) == [0.0, 0.01]


def test_the_head_of_the_page(store: Store) -> None:
    store.add("one")
    store.add("two", parameters=with_changes(PARAMETERS, seed=1), metrics=with_changes(METRICS, winners=[]))
    two = store.read()
    assert headline(two) == "one and two, compared"
    assert headline([*two, *two]) == "4 experiments, compared"
    assert summary(two).startswith("one and two differ in 1 parameter. ")
    assert told(tiles(two)) == [("90.0 %", "small: highest test accuracy of a winner: one")]


def told(tiles: list[Tile]) -> list[tuple[str, str]]:
    return [tuple(text.replace("\N{NO-BREAK SPACE}", " ") for text in (tile.value, tile.label)) for tile in tiles]  # type: ignore[misc]


EXPORTED = {"exported_accuracy": 0.93, "exported_accuracy_ci": [0.91, 0.95]}
SURE = {"count": 40, "tau_predictor": 0.6, "tau_predictor_ci": [0.5, 0.7], "epochs": 8, "tau_half_time": 0.8}


def test_a_tile_tells_the_best_winner_of_a_budget_by_its_exported_file_and_a_sure_rank_correlation(
    store: Store,
) -> None:
    lost = {"budget": "fast", "status": "none"}
    store.add("one", metrics=with_changes(METRICS, winners=[WINNER, lost], audit=SURE))
    store.add("two", metrics=with_changes(METRICS, winners=[WINNER | EXPORTED], audit=SURE | {"tau_predictor": 0.5}))
    two = store.read()
    assert told(tiles(two)) == [
        ("93.0 %", "small: highest test accuracy of a winner, 91.0 % to 95.0 % by its test images: two"),
        ("none", "fast: no tested network kept it"),
        (
            "0.60",
            "highest rank correlation of a predictor with the truth, 0.50 to 0.70 by 40 audit networks: one",
        ),
    ]
    tested = next(row for row in winners_table(two).rows if row[0].text == "test accuracy")
    assert [cell.detail.replace("\N{NO-BREAK SPACE}", " ") for cell in tested] == ["", "", "91.0 % to 95.0 %"]
    _, line = figure_winners(two, "macs").data
    assert (line.y[0], line.error_y.arrayminus[0], line.error_y.array[0]) == pytest.approx((0.93, 0.02, 0.02))


def test_a_tile_of_what_was_not_measured_alike_crowns_nobody(store: Store) -> None:
    store.add("one")
    other = with_changes(PARAMETERS, search__budgets={"small": {"max_macs": "20%"}})
    store.add("two", metrics=with_changes(METRICS, winners=[WINNER | EXPORTED]), parameters=other, test_images="others")
    assert told(tiles(store.read())) == [
        ("90.0 % to 93.0 %", "small: test accuracy of the winners, on different test images; its limits differ")
    ]


def test_winners_and_metrics_come_before_parameters_and_the_rest_is_folded(store: Store) -> None:
    for name in ("one", "two"):
        store.add(name)
    page = write_comparison(store.manifests, CompareParameters())
    anchors = re.findall(r'<section id="([^"]+)"', page)
    assert anchors == ["winners", "metrics", "parameters", "fronts", "made"]
    assert re.findall(r"<details><summary>([^<]+)", page) == ["Predicted Pareto fronts", "Run, code and machine"]


def test_the_page_says_all_this_and_draws_without_a_console_message(
    store: Store, drawn_by_chromium: Callable[[str], tuple[int, list[str]]]
) -> None:
    for name in ("one", "two", "</script>", "four"):
        store.add(name.replace("/", "_"), test_images=name)
    page = write_comparison(store.manifests, CompareParameters())
    text = re.sub(r"<[^>]+>", " ", re.sub(r"<script.*?</script>|<style.*?</style>", " ", page, flags=re.DOTALL))
    for said in (
        "4 experiments, compared",
        "All parameters are the same.",
        "They were not tested on the same images",
        "Measured: winners over latency (ms)",
        "&lt;_script&gt;",
    ):
        assert said in text, said
    assert "different machines" not in text
    assert drawn_by_chromium(page) == (6, [])


def test_a_mistake_gets_one_message(store: Store) -> None:
    def message(*names: str) -> str:
        with pytest.raises(ArchatlasError) as caught:
            write_comparison(store.manifests, CompareParameters(experiments=names))
        return str(caught.value)

    assert "two experiments or more" in message()
    store.add("digits")
    assert "only `digits`" in message()
    store.add("pets")
    assert message("digits", "digts") == (
        "`compare.experiments` names `digts`, of which no run finished with metrics; did you mean `digits`?"
    )
    assert "only `pets`" in message("pets", "pets")

    front = store.folder / "pets" / "pareto_front.parquet"
    content = front.read_bytes()
    front.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert message().startswith(f"pareto_front of `pets` is not what its run session-pets left: {front} was changed.")
    front.unlink()
    assert message().startswith(f"pareto_front of `pets` is gone: its run session-pets left {front}. Make it again")
