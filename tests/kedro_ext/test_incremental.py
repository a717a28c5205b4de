"""The incremental runner on a small project of its own."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from kedro.framework.hooks import hook_impl
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.io import DataCatalog, DatasetError, MemoryDataset
from kedro.pipeline import Pipeline, node
from kedro.runner import SequentialRunner

from archatlas.kedro_ext import source_code
from archatlas.kedro_ext.incremental import IncrementalRunner, explain
from archatlas.kedro_ext.records import fingerprint
from archatlas.kedro_ext.versions import CurrentResultsHook

if TYPE_CHECKING:
    from tests.kedro_ext.conftest import Package

NODES = """
from {package}.helper import plus

def load(path):
    return {"numbers": [1, 2, 3]}

def train(numbers, training):
    from {package}.trainer import fit
    return [fit(number, training["rate"]) for number in numbers["numbers"]]

def evaluate(model, limit):
    return sum(number for number in model if number < limit)

def report(score, model):
    return f"score {plus(score, 0)} of {len(model)}"
"""
HELPER = "def plus(a, b):\n    return a + b\n"
TRAINER = "def fit(number, rate):\n    return number * rate\n"


class Listener:
    """Remembers which nodes ran, which were used again, and why."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.reused: list[str] = []
        self.reasons: dict[str, str] = {}

    @hook_impl
    def after_node_settled(self, node: Any, executed: bool, reasons: tuple[str, ...]) -> None:
        (self.ran if executed else self.reused).append(node.name)
        self.reasons[node.name] = "; ".join(reasons)


class Project:
    """Four nodes: load -> train -> evaluate -> report."""

    def __init__(self, folder: Path, package: Package) -> None:
        self.folder = folder
        self.package = package
        self.parameters: dict[str, Any] = {"training": {"rate": 2, "unused": 0}, "limit": 5, "path": "raw"}
        self.session = 0
        package.write("helper", HELPER)
        package.write("trainer", TRAINER)
        package.write("unrelated", "VALUE = 1\n")
        package.write("nodes", NODES)

    @property
    def pipeline(self) -> Pipeline:
        function = self.package.function
        return Pipeline(
            [
                node(function("nodes", "load"), "params:path", "numbers", name="load"),
                node(function("nodes", "train"), ["numbers", "params:training"], "model", name="train"),
                node(function("nodes", "evaluate"), ["model", "params:limit"], "score", name="evaluate"),
                node(function("nodes", "report"), ["score", "model"], "report", name="report"),
            ]
        )

    def catalog(self, load_versions: dict[str, str] | None = None, **entries: Any) -> DataCatalog:
        self.session += 1
        kinds = {"numbers": "JSON", "model": "JSON", "score": "JSON", "report": "Text"}
        config = {
            name: {
                "type": f"archatlas.kedro_ext.datasets.{kind}Dataset",
                "filepath": str(self.folder / "data" / f"{name}.{'txt' if kind == 'Text' else 'json'}"),
                "versioned": True,
            }
            for name, kind in kinds.items()
        }
        for name in ("run_records", "current_results"):
            kind = "archatlas.kedro_ext.datasets.WorkFolderDataset"
            config[name] = {"type": kind, "filepath": str(self.folder / name)}
        version = f"2026-01-01T00.00.{self.session:02}.000Z"
        made = DataCatalog.from_config(config | entries, load_versions=load_versions, save_version=version)
        for name, value in self.parameters.items():
            made[f"params:{name}"] = MemoryDataset(value)
        return made

    def run(self, pipeline: Pipeline | None = None, runner: Any = None, **catalog: Any) -> Listener:
        listener, manager = Listener(), _create_hook_manager()
        manager.register(listener)
        hook = CurrentResultsHook("run_records", "current_results")
        manager.register(hook)
        made, pipeline = self.catalog(**catalog), pipeline or self.pipeline
        hook.after_catalog_created(made, catalog.get("load_versions"))
        manager.hook.before_pipeline_run(run_params={}, pipeline=pipeline, catalog=made)
        (runner or IncrementalRunner()).run(pipeline, made, manager, run_id=f"session {self.session}")
        manager.hook.after_pipeline_run(run_params={}, run_result={}, pipeline=pipeline, catalog=made)
        return listener

    def explain(self) -> dict[str, str]:
        return {d.node.name: f"{d.action}: {'; '.join(d.reasons)}" for d in explain(self.pipeline, self.catalog())}

    def file(self, name: str) -> Path:
        """The current file of a data set."""
        return next((self.folder / "current_results").glob(f"{name}.*")).resolve()


@pytest.fixture
def project(tmp_path: Path, package: Package, monkeypatch: pytest.MonkeyPatch) -> Project:
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    Path("raw").write_text("1")
    Path("pyproject.toml").write_text("[tool.kedro]\npackage_name = 'toy'\n")  # Paths are named from here.
    return Project(tmp_path / "project", package)


def test_everything_runs_once_and_then_nothing(project: Project) -> None:
    assert project.run().ran == ["load", "train", "evaluate", "report"]
    again = project.run()
    assert again.ran == []
    assert again.reused == ["load", "train", "evaluate", "report"]
    assert project.file("report").read_text() == "score 6 of 3"


@pytest.mark.parametrize(
    ("module", "code", "ran", "reason"),
    [
        ("nodes", NODES.replace("number < limit", "number <= limit"), ["evaluate"], "nodes:evaluate changed"),
        ("nodes", NODES.replace("* 1", "*1") + "\n# comment\n", [], ""),
        ("helper", "def plus(a, b):\n    return b + a\n", ["report"], "helper changed"),
        ("trainer", TRAINER.replace("number * rate", "rate * number"), ["train"], "trainer changed"),
        ("trainer", TRAINER.replace("* rate", "+ rate"), ["train", "evaluate", "report"], "trainer changed"),
        ("trainer", '"""Docs."""\n' + TRAINER, [], ""),
        ("unrelated", "VALUE = 2\n", [], ""),
    ],
)
def test_a_change_of_code_runs_the_nodes_that_reach_it(
    project: Project, module: str, code: str, ran: list[str], reason: str
) -> None:
    project.run()
    project.package.write(module, code)
    again = project.run()
    assert again.ran == ran
    assert not ran or reason in again.reasons[ran[0]]


@pytest.mark.parametrize(
    ("key", "value", "ran", "reason"),
    [
        ("limit", 7, ["evaluate", "report"], "parameter limit: 5 -> 7"),
        ("limit", 10**6, ["evaluate", "report"], "parameter limit: 5 -> 1000000"),
        ("training", {"rate": 3, "unused": 0}, ["train", "evaluate", "report"], "parameter training.rate: 2 -> 3"),
        ("training", {"rate": 2, "unused": 1}, ["train"], "parameter training.unused: 0 -> 1"),
        ("new", 1, [], ""),
    ],
)
def test_a_parameter_runs_the_nodes_that_read_it_and_others_only_if_content_changed(
    project: Project, key: str, value: Any, ran: list[str], reason: str
) -> None:
    project.run()
    project.parameters[key] = value
    again = project.run()
    assert again.ran == ran
    assert not ran or again.reasons[ran[0]] == reason


def test_a_parameter_set_back_finds_the_old_result_and_the_current_links_follow(project: Project) -> None:
    project.run()
    first = project.file("report")
    project.parameters["limit"] = 3
    project.run()
    assert project.file("report").read_text() == "score 2 of 3"
    project.parameters["limit"] = 5
    assert project.run().ran == []
    assert project.file("report") == first
    # A pipeline's part, and Kedro's own runner, load the current results, not the newest ones.
    alone = project.pipeline.only_nodes("report")
    assert project.run(alone, SequentialRunner()).ran == []
    assert project.file("report").read_text() == "score 6 of 3"


def damage(file: Path, how: str) -> None:
    content = file.read_bytes()
    status = file.stat()
    if how == "missing":
        file.unlink()
    elif how == "flipped, times set back":
        file.write_bytes(bytes([content[0] ^ 1]) + content[1:])
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    else:
        file.write_bytes({"truncated": content[:-1], "empty": b"", "edited": content + b" "}[how])


@pytest.mark.parametrize("how", ["missing", "flipped, times set back", "truncated", "empty", "edited"])
@pytest.mark.parametrize("name", ["numbers", "model", "score", "report"])
def test_a_damaged_output_is_noticed_and_made_again_and_nothing_else_is(project: Project, name: str, how: str) -> None:
    project.run()
    before = project.file(name).read_bytes()
    damaged = project.file(name)
    damage(damaged, how)
    maker = {"numbers": "load", "model": "train", "score": "evaluate", "report": "report"}[name]
    again = project.run()
    assert again.ran == [maker]
    assert str(damaged.relative_to(project.folder)) in again.reasons[maker]
    assert project.file(name).read_bytes() == before
    assert project.file(name) != damaged
    assert project.run().ran == []


def test_damage_that_no_time_shows_is_found_before_the_file_is_used(project: Project) -> None:
    project.run()
    model = project.file("model")
    digests = project.folder / "run_records" / "digests.json"
    damage(model, "edited")
    # As if the disk had changed it: what is known of the file's times and size fits the damaged one.
    known = json.loads(digests.read_text())
    status = model.stat()
    known[str(model)]["stamp"] = [status.st_size, status.st_ino, status.st_mtime_ns, status.st_ctime_ns]
    digests.write_text(json.dumps(known))
    project.parameters["limit"] = 3
    again = project.run()
    assert sorted(again.ran) == ["evaluate", "report", "train"]
    assert "damaged" in again.reasons["train"]
    assert project.file("report").read_text() == "score 2 of 3"


def test_a_damaged_input_that_no_node_of_the_run_makes_stops_it(project: Project) -> None:
    project.run()
    damage(project.file("model"), "edited")
    project.parameters["limit"] = 3
    with pytest.raises(DatasetError, match=r"`model` is damaged: data/model\.json/.*json"):
        project.run(project.pipeline.only_nodes("evaluate"))


def test_a_missing_input_that_no_node_of_the_run_makes_stops_it(project: Project) -> None:
    with pytest.raises(DatasetError, match=r"`model` is missing .*data/model\.json"):
        project.run(project.pipeline.only_nodes("evaluate"))


def test_an_earlier_version_can_be_loaded_by_name(project: Project) -> None:
    project.run()
    first = project.file("model").parent.name
    project.parameters["training"] = {"rate": 1}
    project.run()
    assert project.file("report").read_text() == "score 6 of 3"
    project.parameters["limit"] = 4
    project.run(project.pipeline.only_nodes("evaluate"), load_versions={"model": first})
    assert json.loads(project.file("score").read_text()) == 2
    assert json.loads(project.file("model").read_text()) == [1, 2, 3]


def test_explain_says_what_would_run_and_why_and_runs_nothing(project: Project) -> None:
    assert project.explain()["load"] == "run: it never ran here"
    project.run()
    project.parameters["training"] = {"rate": 3, "unused": 0}
    project.package.write("helper", "def plus(a, b):\n    return b + a\n")
    assert project.explain() == {
        "load": "reuse: nothing changed since session 2",
        "train": "run: parameter training.rate: 2 -> 3",
        "evaluate": "wait: it depends on train",
        "report": f"run: code of {project.package.name}.helper changed",
    }
    assert project.run().ran == ["train", "evaluate", "report"]


def test_what_is_tried_ahead_lets_nodes_stand_that_it_changes_nothing_for(project: Project) -> None:
    project.package.write(
        "nodes",
        """
        from archatlas.kedro_ext.dependencies import tried_ahead

        @tried_ahead
        def check(limit):
            if limit < 0:
                raise ValueError("there is no such limit")
            return limit, {"passed": limit > 3}

        def train(checked):
            return "trained" if checked["passed"] else "not"

        def search(bound):
            return f"at most {bound}"
        """,
    )
    function = project.package.function
    pipeline = Pipeline(
        [
            node(function("nodes", "check"), "params:limit", ["score", "numbers"], name="check"),
            node(function("nodes", "train"), "numbers", "model", name="train"),
            node(function("nodes", "search"), "score", "report", name="search"),
        ]
    )

    def told(limit: int) -> dict[str, str]:
        project.parameters["limit"] = limit
        return {one.node.name: f"{one.action}: {one.reasons[-1]}" for one in explain(pipeline, project.catalog())}

    project.run(pipeline)
    files = {file: file.read_bytes() for file in project.folder.rglob("*") if file.is_file()}
    assert told(6) == {
        "check": "run: parameter limit: 5 -> 6",
        "train": "reuse: nothing changed since session 1",
        "search": "run: its input score has other content",
    }
    assert told(2)["train"] == "run: its input numbers has other content"
    assert told(-1) == {
        "check": "run: it stops the run: there is no such limit",
        "train": "wait: it depends on check",
        "search": "wait: it depends on check",
    }
    assert {file: file.read_bytes() for file in files} == files
    project.parameters["limit"] = 6
    assert project.run(pipeline).ran == ["check", "search"]


def test_a_line_says_which_node_runs_and_the_first_reasons_but_not_that_it_is_new(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    def lines() -> list[str]:
        told = [record.getMessage() for record in caplog.records]
        caplog.clear()
        return [line for line in told if line.startswith("[")]

    caplog.set_level("INFO")
    project.run()
    assert lines() == ["[1/4] load", "[2/4] train", "[3/4] evaluate", "[4/4] report"]
    project.parameters["training"] = {"rate": 3, **dict.fromkeys("abcd", 1)}
    project.run()
    assert lines()[0] == (
        "[2/4] train: parameter training.a: None -> 1; parameter training.b: None -> 1; "
        "parameter training.c: None -> 1; 3 more reasons"
    )


def test_kedros_own_runner_does_everything_and_its_results_are_current(project: Project) -> None:
    project.run()
    first = project.file("report")
    project.run(runner=SequentialRunner())
    assert project.file("report") > first


def test_what_is_kept_in_memory_is_made_when_a_node_that_runs_needs_it(project: Project) -> None:
    memory: Mapping[str, Any] = {"model": {"type": "kedro.io.MemoryDataset"}}
    assert project.run(**memory).ran == ["load", "train", "evaluate", "report"]
    assert project.run(**memory).ran == []
    project.parameters["limit"] = 3
    assert project.run(**memory).ran == ["train", "evaluate", "report"]


def test_an_output_that_only_the_caller_gets_is_made_every_time(project: Project) -> None:
    memory: Mapping[str, Any] = {"report": {"type": "kedro.io.MemoryDataset"}}
    project.run(**memory)
    assert project.run(**memory).ran == ["report"]


def test_what_lies_elsewhere_than_on_this_machine_is_made_every_time(project: Project) -> None:
    remote = {"type": "kedro_datasets.json.JSONDataset", "filepath": "memory://models/model.json"}
    project.run(model=remote)
    for _ in range(2):
        again = project.run(model=remote)
        assert again.ran == ["train", "evaluate", "report"], "and so is what reads it: nobody knows what it was"
        assert again.reasons["train"] == "its output model is not on this machine"
        assert again.reasons["evaluate"] == "its input model has other content"
    assert json.loads(project.file("score").read_text()) == 6


def test_what_has_no_versions_keeps_its_newest_result_alone(project: Project) -> None:
    place = project.folder / "data" / "model.json"
    plain = {"type": "kedro_datasets.json.JSONDataset", "filepath": str(place)}
    project.run(model=plain)
    assert project.run(model=plain).ran == []
    project.parameters["training"] = {"rate": 1}
    assert project.run(model=plain).ran == ["train", "evaluate", "report"]
    project.parameters["training"] = {"rate": 2, "unused": 0}
    assert project.run(model=plain).ran == ["train"], "the earlier result is gone, and what came of it is not"
    assert json.loads(place.read_text()) == [2, 4, 6]


def test_a_catalog_entry_that_changes_runs_who_writes_and_who_reads_it(project: Project) -> None:
    project.run()
    place = str(project.folder / "data" / "model.json")
    entry = {"type": "archatlas.kedro_ext.datasets.JSONDataset", "filepath": place, "versioned": True}
    assert project.run(model=entry).ran == []
    assert project.run(model={**entry, "metadata": {"kedro-viz": {"layer": "models"}}}).ran == []
    project.package.write(
        "kinds", "from archatlas.kedro_ext.datasets import JSONDataset\n\nclass Other(JSONDataset):\n    pass\n"
    )
    other = {**entry, "type": f"{project.package.name}.kinds.Other"}
    made = project.run(model=other)
    assert made.ran == ["train", "evaluate", "report"]
    assert "catalog entry model.type" in made.reasons["train"]
    assert project.run(model=other).ran == []
    assert project.run().ran == [], "the entry as it was finds what it had"


def test_a_record_that_was_damaged_counts_as_none(project: Project) -> None:
    project.run()
    for record in (project.folder / "run_records" / "nodes" / "evaluate").iterdir():
        record.write_text(record.read_text()[:-20])
    (project.folder / "run_records" / "digests.json").write_text("{")
    again = project.run()
    assert again.ran == ["evaluate"]


@pytest.mark.parametrize("content", ["null", "[]", '{"raw": null}', '{"raw": {"stamp": 1}}', ""])
def test_digests_that_are_none_are_made_again(project: Project, content: str) -> None:
    project.run()
    (project.folder / "run_records" / "digests.json").write_text(content)
    assert project.run().ran == []


def test_what_the_catalog_does_not_name_is_kept_in_memory_and_cannot_be_read(project: Project) -> None:
    catalog = project.catalog()
    del catalog._lazy_datasets["score"]
    assert [decision.action for decision in explain(project.pipeline, catalog)] == ["run"] * 4
    catalog = project.catalog()
    del catalog._lazy_datasets["score"]
    with pytest.raises(DatasetError, match=r"input.* score not found in the catalog"):
        explain(project.pipeline.only_nodes("report"), catalog)


NO_RECORDS = (b"null", b"[]", b"3", b'"x"', b"{}", b'{"content": null, "sha256": null}', b"\xff", b"[" * 100_000)


@pytest.mark.parametrize("content", NO_RECORDS, ids=lambda content: str(content[:20]))
def test_json_of_another_kind_counts_as_no_record(project: Project, content: bytes) -> None:
    project.run()
    for file in (project.folder / "run_records").rglob("*.json"):
        file.write_bytes(content)
    again = project.run()
    assert again.ran == ["load", "train", "evaluate", "report"]
    assert project.run().ran == []


def test_a_record_whose_parts_are_of_another_kind_counts_as_none(project: Project) -> None:
    project.run()
    (record,) = (project.folder / "run_records" / "nodes" / "evaluate").iterdir()
    for name, value in (("outputs", []), ("outputs", {"a": 1}), ("usage", None), ("node", 3), ("key", None)):
        content = json.loads(record.read_text())["content"] | {name: value}
        record.write_text(json.dumps({"content": content, "sha256": fingerprint(content)}))
        assert project.run().ran == ["evaluate"]


@pytest.mark.parametrize("place", ["current.json", "digests.json", "nodes/evaluate/*.json", "nodes/evaluate", "nodes"])
def test_a_folder_or_a_file_in_the_way_stops_a_run_before_the_work(project: Project, place: str) -> None:
    project.run()
    (taken,) = (project.folder / "run_records").glob(place)
    if taken.is_file():
        taken.unlink()
        (taken / "mine").mkdir(parents=True)
    else:
        shutil.rmtree(taken)
        taken.write_text("mine")
    project.package.write("trainer", TRAINER.replace("*", "+"))  # Another model, so another score.
    with pytest.raises((IsADirectoryError, NotADirectoryError)) as failed:
        project.run()
    assert str(taken) in str(failed.value.filename)
    assert len(list((project.folder / "data/score.json").iterdir())) == 1


def test_a_record_in_anothers_place_counts_as_none(project: Project) -> None:
    project.run()
    project.parameters["limit"] = 3
    project.run()
    first, second = (project.folder / "run_records" / "nodes" / "evaluate").iterdir()
    contents = first.read_text(), second.read_text()
    first.write_text(contents[1])
    second.write_text(contents[0])
    again = project.run()
    assert again.ran == ["evaluate"]
    assert project.file("report").read_text() == "score 2 of 3"


def test_a_record_whose_outputs_were_taken_out_counts_as_none(project: Project) -> None:
    project.run()
    (record,) = (project.folder / "run_records" / "nodes" / "evaluate").iterdir()
    document = json.loads(record.read_text())
    document["content"]["outputs"] = {}
    record.write_text(json.dumps(document))
    assert project.run().ran == ["evaluate"]


@pytest.mark.parametrize("how", ["cut off", "edited", "gone"])
def test_what_is_current_is_found_in_the_records_where_its_list_is_damaged(
    project: Project, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    project.run()
    first = project.file("model")
    project.parameters["training"] = {"rate": 1}
    project.run()
    project.parameters["training"] = {"rate": 2, "unused": 0}
    project.run()  # Finds the first model again, which is current and not the newest.
    assert project.file("model") == first
    listed = project.folder / "run_records" / "current.json"
    if how == "gone":
        listed.unlink()
    else:
        text = listed.read_text()
        listed.write_text(
            text[:-30] if how == "cut off" else text.replace(first.parent.name, "2026-01-01T00.00.02.000Z")
        )
    project.parameters["limit"] = 3
    project.run(project.pipeline.only_nodes("evaluate"))
    assert "current.json is damaged or gone" in caplog.text
    assert json.loads(project.file("score").read_text()) == 2
    assert project.file("model") == first
    listed.unlink()
    damage(first, "edited")
    project.parameters["limit"] = 2
    with pytest.raises(DatasetError, match="`model` is damaged"):
        project.run(project.pipeline.only_nodes("evaluate"))


def test_code_edited_while_the_process_runs_gives_results_that_the_next_run_makes_again(project: Project) -> None:
    project.run()
    project.package.write("trainer", TRAINER.replace("* rate", "+ rate"))
    time.sleep(0.02)  # Files have the time of the kernel's last tick.
    (project.package.folder / "trainer.py").touch()
    assert project.run().ran == ["train", "evaluate", "report"]
    assert project.run().ran[0] == "train"


def test_files_that_a_function_finds_count_wherever_they_lie(project: Project, tmp_path: Path) -> None:
    project.package.write(
        "nodes",
        "from pathlib import Path\n"
        "from archatlas.kedro_ext.dependencies import depends_on\n"
        "def found(parameters):\n"
        "    file = Path(parameters['path']) / 'table.csv'\n"
        "    return [file] if file.exists() else []\n"
        + NODES.replace("def load", "@depends_on(files=(found,))\ndef load"),
    )
    folder = tmp_path / "somewhere"
    folder.mkdir()
    project.parameters["path"] = str(folder)
    project.run()
    assert project.run().ran == []
    (folder / "table.csv").write_text("1")
    assert project.run().reasons["load"] == "table.csv changed"
    assert project.run().ran == []
    (folder / "table.csv").write_text("2")
    assert project.run().ran == ["load"]
    # In another place with the same content it is the parameter alone that changes.
    moved = folder.rename(tmp_path / "elsewhere")
    project.parameters["path"] = str(moved)
    assert project.run().reasons["load"].startswith("parameter path: ")
    assert "table.csv" not in project.explain()["load"]


def test_files_and_states_that_a_function_declares_count(project: Project) -> None:
    project.package.write(
        "nodes",
        "from archatlas.kedro_ext.dependencies import depends_on\n"
        "from {package}.state import state\n"
        + NODES.replace("def load", '@depends_on(files=("path",), states=(state,))\ndef load'),
    )
    project.package.write("state", "def state(parameters):\n    return 'a machine'\n")
    project.run()
    assert project.run().ran == []
    Path("raw").write_text("2")
    assert project.run().reasons["load"] == "files under the parameter path changed"
    project.package.write("state", "MACHINE = 'another machine'\ndef state(parameters):\n    return MACHINE\n")
    again = project.run()
    assert again.ran == ["load"]
    assert "the machine or its device is another: ['a machine'] -> ['another machine']" in again.reasons["load"]


def test_another_version_of_a_library_runs_who_imports_it(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.package.write("nodes", NODES.replace("def load(path):", "def load(path):\n    import numpy"))
    project.run()
    known = source_code._version
    monkeypatch.setattr(source_code, "_version", lambda name: "99.0" if name == "numpy" else known(name))
    again = project.run()
    assert again.ran == ["load"]
    assert again.reasons["load"] == f"library numpy: {known('numpy')} -> 99.0"


def test_a_declared_path_may_begin_at_home(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project.package.write(
        "nodes",
        "from archatlas.kedro_ext.dependencies import depends_on\n"
        + NODES.replace("def load", "@depends_on(files=('path',))\ndef load"),
    )
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "pets").mkdir()
    project.parameters["path"] = "~/pets"
    project.run()
    assert project.run().ran == []
    (tmp_path / "pets" / "cat.png").write_text("new")
    assert project.run().reasons["load"] == "files under the parameter path changed"


PARTS = {"prepare": ["load"], "fit": ["train"], "judge": ["evaluate"], "tell": ["report"]}


def run_part(project: Project, name: str, **catalog: Any) -> Listener:
    """One of the project's pipelines alone, by a runner that knows all of them."""
    whole = project.pipeline
    registered = {part: whole.only_nodes(*nodes) for part, nodes in PARTS.items()}
    return project.run(registered[name], IncrementalRunner(project={**registered, "__default__": whole}), **catalog)


def test_a_part_alone_reads_what_the_current_parameters_gave_be_it_the_newest_or_not(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    project.run()
    model = project.file("model")
    project.parameters["training"] = {"rate": 1}
    project.run()
    assert project.file("model") != model
    project.parameters |= {"training": {"rate": 2, "unused": 0}, "limit": 3}
    caplog.set_level("INFO")
    assert run_part(project, "judge").ran == ["evaluate"]
    assert json.loads(project.file("score").read_text()) == 2
    assert project.file("model") == model
    assert "earlier results of the current parameters are used again: `model`" in caplog.text


def test_a_part_alone_is_refused_where_what_it_reads_is_of_other_parameters_or_data(project: Project) -> None:
    project.run()
    project.parameters["training"] = {"rate": 3}
    said = (
        r"`model`, `score` are out of date \(train: parameter training.rate: 2 -> 3; .*\)\. .*"
        r"run `kedro run --pipelines fit,judge,tell` \(or everything by `kedro run`\)"
    )
    with pytest.raises(DatasetError, match=said):
        run_part(project, "tell")
    assert project.file("report").read_text() == "score 6 of 3"
    # A stage before it was run alone: the parameters of all fit now, but not what was made of what.
    project.package.write("nodes", NODES.replace("[1, 2, 3]", "[1, 2]"))
    run_part(project, "prepare")
    project.parameters["training"] = {"rate": 2, "unused": 0}
    with pytest.raises(DatasetError, match=r"`model` is out of date \(train: its input numbers has other content\)"):
        run_part(project, "judge")
    assert project.run().ran == ["train", "evaluate", "report"]
    assert run_part(project, "judge").reused == ["evaluate"]


def test_what_only_other_code_would_make_anew_is_used_with_a_warning(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    project.run()
    project.package.write("trainer", TRAINER.replace("* rate", "+ rate"))
    project.parameters["limit"] = 3
    assert run_part(project, "judge").ran == ["evaluate"]
    assert json.loads(project.file("score").read_text()) == 2
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warning.startswith("`model` was made before a change (train: code of ")


def test_what_only_another_version_of_a_library_would_make_anew_is_used_with_a_warning(
    project: Project, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.package.write("trainer", f"import yaml\n{TRAINER}")
    project.run()
    model = project.file("model")
    known = source_code._version
    monkeypatch.setattr(source_code, "_version", lambda name: "99.0" if name == "yaml" else known(name))
    project.parameters["limit"] = 3
    assert run_part(project, "judge").ran == ["evaluate"]
    assert project.file("model") == model
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warning.startswith(f"`model` was made before a change (train: library yaml: {known('yaml')} -> 99.0)")
    assert project.run().ran[0] == "train"  # The whole makes it anew.


def test_a_version_that_the_user_names_is_read_whatever_it_is_of(project: Project) -> None:
    project.run()
    first = project.file("model").parent.name
    project.parameters |= {"training": {"rate": 3}, "limit": 3}
    assert run_part(project, "judge", load_versions={"model": first}).ran == ["evaluate"]
    assert json.loads(project.file("score").read_text()) == 2


def test_what_another_runner_has_made_is_read_as_it_is(project: Project) -> None:
    project.run(runner=SequentialRunner())
    project.parameters["limit"] = 3
    assert run_part(project, "judge").ran == ["evaluate"]


def test_a_gate_makes_nothing_out_of_date_that_was_made_after_it(project: Project) -> None:
    gate = {"type": "archatlas.kedro_ext.datasets.JSONDataset", "filepath": str(project.folder / "data/numbers.json")}
    as_gate: Mapping[str, Any] = {"numbers": {**gate, "versioned": True, "metadata": {"incremental": "gate"}}}
    project.run(**as_gate)
    project.parameters |= {"path": "elsewhere", "limit": 3}
    assert run_part(project, "judge", **as_gate).ran == ["evaluate"]
    with pytest.raises(DatasetError, match="`model` is out of date"):
        run_part(project, "judge")


def test_what_two_pipelines_can_make_is_of_the_one_that_made_it(project: Project) -> None:
    project.run()
    other = Pipeline([node(project.package.function("nodes", "load"), "params:other", "model", name="imported")])
    project.parameters["other"] = "somewhere"
    project.run(other)
    # The default's way to the model is out of date, but it is not what is read.
    project.parameters |= {"training": {"rate": 3}, "limit": 3}
    judge = project.pipeline.only_nodes("report")
    known = {"__default__": project.pipeline, "other": other}
    with pytest.raises(DatasetError, match="`score` is out of date") as raised:
        project.run(judge, IncrementalRunner(project=known))
    assert "`model`" not in str(raised.value)


def test_results_of_two_makers_may_both_have_been_read(project: Project) -> None:
    """A second way to the model is current; the score is of the first, and is still what the parameters give."""
    project.run()
    other = Pipeline([node(project.package.function("nodes", "load"), "params:path", "model", name="imported")])
    project.run(other)
    imported = project.file("model")
    told = project.pipeline.only_nodes("report")
    known = {"__default__": project.pipeline, "other": other}
    # The report reads both: the imported model, of one entry, and the score of the trained one.
    assert project.run(told, IncrementalRunner(project=known)).ran == ["report"]
    assert project.file("report").read_text() == "score 6 of 1"
    assert project.file("model") == imported
    project.parameters["training"] = {"rate": 3}
    with pytest.raises(DatasetError, match=r"`score` is out of date \(train: parameter training.rate: 2 -> 3"):
        project.run(told, IncrementalRunner(project=known))
