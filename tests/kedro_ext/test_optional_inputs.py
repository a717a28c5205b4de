"""Inputs that a node does without where nothing has made them yet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.io import DataCatalog, DatasetError, MemoryDataset
from kedro.pipeline import Pipeline, node

from archatlas.kedro_ext.incremental import IncrementalRunner
from archatlas.kedro_ext.optional_inputs import only_optional, optional_inputs, reduced, without
from archatlas.kedro_ext.versions import CurrentResultsHook

if TYPE_CHECKING:
    from tests.kedro_ext.conftest import Package

NODES = """
from archatlas.kedro_ext.dependencies import depends_on

def begin(start):
    return start

def other(numbers, factor):
    return numbers * factor

@depends_on(optional=("more_*",))
def total(numbers, **more):
    return numbers + sum(more.values())

def last(total):
    return -total
"""


class Project:
    """begin -> total -> last, and beside it begin -> first, second, which total takes up if they have run."""

    def __init__(self, folder: Path, package: Package) -> None:
        self.folder, self.package = folder, package
        self.parameters = {"start": 1, "first": 10, "second": 100}
        self.session, self.others = 0, ("first", "second")
        package.write("nodes", NODES)

    def pipelines(self) -> dict[str, Pipeline]:
        function = self.package.function
        more = {f"more_{name}": name for name in self.others}
        main = Pipeline(
            [
                node(function("nodes", "begin"), "params:start", "numbers", name="begin"),
                node(function("nodes", "total"), {"numbers": "numbers", **more}, "total", name="total"),
                node(function("nodes", "last"), "total", "last", name="last"),
            ]
        )
        beside = {
            name: Pipeline([node(function("nodes", "other"), ["numbers", f"params:{name}"], name, name=name)])
            for name in self.others
        }
        return {"__default__": main, "end": main.only_nodes("last"), **beside}

    def run(self, name: str = "__default__") -> list[str]:
        """Which nodes ran."""
        self.session += 1
        datasets = "archatlas.kedro_ext.datasets"
        kinds = dict.fromkeys(("numbers", "total", "last", *self.others), "JSON")
        config: dict[str, Any] = {
            one: {
                "type": f"{datasets}.{kind}Dataset",
                "filepath": str(self.folder / f"data/{one}.json"),
                "versioned": True,
            }
            for one, kind in kinds.items()
        }
        for one in ("run_records", "current_results"):
            config[one] = {"type": f"{datasets}.WorkFolderDataset", "filepath": str(self.folder / one)}
        catalog = DataCatalog.from_config(config, save_version=f"2026-01-01T00.00.{self.session:02}.000Z")
        for one, value in self.parameters.items():
            catalog[f"params:{one}"] = MemoryDataset(value)
        pipelines, manager, ran = self.pipelines(), _create_hook_manager(), []

        class Listener:
            from kedro.framework.hooks import hook_impl

            @hook_impl
            def after_node_settled(self, node: Any, executed: bool) -> None:
                if executed:
                    ran.append(node.name)

        hook = CurrentResultsHook("run_records", "current_results")
        manager.register(Listener())
        hook.after_catalog_created(catalog, None)
        hook.before_pipeline_run(pipelines[name], catalog)
        IncrementalRunner(project=pipelines).run(pipelines[name], catalog, manager, run_id=f"{self.session}")
        hook.after_pipeline_run(pipelines[name], catalog)
        return ran

    def total(self) -> int:
        return int((self.folder / "current_results" / "total.json").read_text())


@pytest.fixture
def project(tmp_path: Path, package: Package, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text("[tool.kedro]\npackage_name = 'toy'\n")
    return Project(tmp_path, package)


def test_what_is_not_there_is_done_without_and_what_is_there_is_taken(project: Project) -> None:
    assert project.run() == ["begin", "total", "last"]
    assert project.total() == 1
    assert project.run() == []
    assert project.run("first") == ["first"]
    assert project.run() == ["total", "last"]
    assert project.total() == 11
    assert project.run("second") == ["second"]
    assert project.run() == ["total", "last"]
    assert project.total() == 111
    assert project.run() == []


def test_a_further_optional_input_runs_nothing_before_there_is_something_in_it(project: Project) -> None:
    project.others = ("first",)
    project.run("__default__")
    project.run("first")
    project.run()
    project.others = ("first", "second")
    assert project.run() == []


def test_what_is_out_of_date_is_left_out_and_told(project: Project, caplog: pytest.LogCaptureFixture) -> None:
    project.run()
    project.run("first")
    project.run()
    project.parameters["first"] = 20
    assert project.run() == [], "what was made without it stands again"
    assert project.total() == 1
    assert "`first` is left out, since it is out of date (first: parameter first: 10 -> 20)" in caplog.text
    assert "`kedro run --pipelines first` makes it anew" in caplog.text
    project.parameters["start"] = 2
    assert project.run() == ["begin", "total", "last"]
    assert project.total() == 2
    project.run("first")
    project.run()
    assert project.total() == 42


def test_a_part_behind_it_stands_on_what_was_there_when_it_was_made(project: Project) -> None:
    project.run()
    project.run("first")
    assert project.run("end") == []
    project.run()
    assert project.total() == 11
    project.parameters["first"] = 20
    with pytest.raises(DatasetError, match="`total` is out of date"):
        project.run("end")


def test_optional_are_the_arguments_that_match_and_that_no_node_needs(project: Project) -> None:
    main = project.pipelines()["__default__"]
    total = next(node for node in main.nodes if node.name == "total")
    assert optional_inputs(total) == {"first", "second"}
    assert only_optional(main) == {"first", "second"}
    assert without(total, {"second", "numbers"}).inputs == ["numbers", "first"]
    needed = node(project.package.function("nodes", "last"), "first", "needs", name="needs")
    assert only_optional(main + Pipeline([needed])) == {"second"}
    assert reduced(main, lambda name: True) is main
    assert {"first"} == reduced(main, "first".__eq__).inputs() - {"params:start"}
