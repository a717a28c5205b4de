from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline, node

from archatlas.kedro_ext.clean import find_rubbish
from archatlas.kedro_ext.records import Artifact, CurrentResults, NodeRecord, RecordStore
from archatlas.kedro_ext.run_lock import take_lock
from archatlas.kedro_ext.usage import NodeUsage

INCREMENTAL = "archatlas.kedro_ext.incremental.IncrementalRunner"
NO_USAGE = NodeUsage("", 0.0, 0.0)


class Data:
    """Versions, manifests and records of two nodes, ``text -> report``, made by hand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.records = folder / "records"
        self.records.mkdir()
        kinds = {"text.txt": "TextDataset", "report.json": "JSONDataset", "manifest.json": "JSONDataset"}
        self.catalog = DataCatalog.from_config(
            {
                Path(name).stem: {
                    "type": f"archatlas.kedro_ext.datasets.{kind}",
                    "filepath": str(folder / name),
                    "versioned": True,
                }
                for name, kind in kinds.items()
            }
            | {"plain": {"type": "archatlas.kedro_ext.datasets.TextDataset", "filepath": str(folder / "plain.txt")}}
            | {"memory": {"type": "kedro.io.MemoryDataset"}}
            | {
                "notes_of_{whom}": {
                    "type": "archatlas.kedro_ext.datasets.TextDataset",
                    "filepath": str(folder / "notes_of_{whom}.txt"),
                    "versioned": True,
                }
            }
        )

    def version(self, file: str, version: str, content: str = "{}") -> None:
        path = self.folder / file / version / file
        path.parent.mkdir(parents=True)
        path.write_text(content)

    def run(self, session: str, text: str, report: str | None) -> None:
        """A run whose manifest names these versions; those that are the session's own it made."""
        nodes: dict[str, Any] = {"write": {"inputs": {"raw": None}, "outputs": {"text": {"version": text}}}}
        if report is not None:
            nodes["count"] = {"inputs": {"text": text}, "outputs": {"report": {"version": report}}}
        self.version("manifest.json", session, json.dumps({"session": session, "nodes": nodes}))
        if text == session:
            self.version("text.txt", session)
            self.record("write", session, {"text": session})
        if report == session:
            self.version("report.json", session)
            self.record("count", session, {"report": session})

    def record(self, node: str, key: str, outputs: dict[str, str]) -> None:
        artifacts = {name: Artifact("", version, 0, "") for name, version in outputs.items()}
        RecordStore(self.records).save(NodeRecord(node, key, {}, artifacts, key, NO_USAGE))

    def current(self, **versions: str) -> None:
        CurrentResults(self.records).update({name: Artifact("", version, 0, "") for name, version in versions.items()})

    def rubbish(self, keep: int) -> list[str]:
        found = find_rubbish(self.catalog, keep, manifest="manifest", records=self.records)
        return [str(path.relative_to(self.folder)) for path in found.paths]


@pytest.fixture
def data(tmp_path: Path) -> Data:
    return Data(tmp_path)


def test_what_the_newest_different_runs_name_is_kept(data: Data) -> None:
    data.run("1", text="1", report="1")
    data.run("2", text="2", report="2")
    data.run("3", text="2", report="3")
    data.run("4", text="2", report="3")  # used everything again, and does not count
    data.run("5", text="1", report="5")  # with the first text
    assert data.rubbish(keep=3) == ["records/nodes/count/1.json", "manifest.json/1", "report.json/1"]
    assert data.rubbish(keep=2) == [
        "records/nodes/count/1.json",
        "records/nodes/count/2.json",
        "manifest.json/1",
        "manifest.json/2",
        "report.json/1",
        "report.json/2",
    ]
    assert data.rubbish(keep=1) == [
        "records/nodes/count/1.json",
        "records/nodes/count/2.json",
        "records/nodes/count/3.json",
        "records/nodes/write/2.json",
        "manifest.json/1",
        "manifest.json/2",
        "manifest.json/3",
        "manifest.json/4",
        "report.json/1",
        "report.json/2",
        "report.json/3",
        "text.txt/2",
    ]
    assert data.rubbish(keep=4) == []


def test_a_run_that_was_killed_and_then_finished_counts_once(data: Data) -> None:
    data.run("1", text="1", report="1")
    data.run("2", text="2", report=None)
    data.run("3", text="2", report="3")
    assert data.rubbish(keep=2) == []
    assert "text.txt/1" in data.rubbish(keep=1)
    assert "manifest.json/2" not in data.rubbish(keep=1)


def test_the_current_results_are_kept_whoever_made_them(data: Data) -> None:
    for session in "1234":
        data.run(session, text=session, report=session)
    data.current(text="1", report="2")
    assert data.rubbish(keep=1) == [
        "records/nodes/count/1.json",
        "records/nodes/count/3.json",
        "records/nodes/write/2.json",
        "records/nodes/write/3.json",
        "manifest.json/1",
        "manifest.json/2",
        "manifest.json/3",
        "report.json/1",
        "report.json/3",
        "text.txt/2",
        "text.txt/3",
    ]


def test_what_killed_runs_left_goes(data: Data) -> None:
    data.run("1", text="1", report="1")
    data.version("text.txt", "2")  # Killed before its manifest named it.
    (data.folder / "report.json/3").mkdir()
    (data.folder / "report.json/3/.report.json.0a1b.partial").write_text("{")
    (data.folder / "report.json/4").mkdir()
    (data.folder / "report.json/1/.report.json.0a1b.partial").write_text("{")
    (data.folder / ".plain.txt.0a1b.partial").write_text("half")
    (data.records / ".current.json.0a1b.partial").write_text("{")
    (data.folder / ".other.txt.0a1b.partial").write_text("no data set of this experiment")
    assert data.rubbish(keep=3) == [
        "report.json/3",
        "report.json/4",
        "text.txt/2",
        ".plain.txt.0a1b.partial",
        "report.json/1/.report.json.0a1b.partial",
        "records/.current.json.0a1b.partial",
    ]


def test_what_a_pattern_of_the_catalog_is_for_goes_too(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    data.run("2", text="2", report="2")
    for whom in ("anna", "berta", "clara"):
        data.version(f"notes_of_{whom}.txt", "1")
        data.version(f"notes_of_{whom}.txt", "2")
    data.record("write", "1", {"notes_of_anna": "1"})
    data.current(notes_of_anna="2")
    written = node(lambda: "", None, "notes_of_berta")
    monkeypatch.setattr("archatlas.kedro_ext.clean.registered", {"p": Pipeline([written])})
    assert data.rubbish(keep=3) == [
        "records/nodes/write/1.json",
        "notes_of_anna.txt/1",
        "notes_of_berta.txt/1",
        "notes_of_berta.txt/2",
    ]


def test_folders_that_are_no_versions_are_left_alone(data: Data) -> None:
    data.run("1", text="1", report="1")
    data.version("text.txt", "2")
    (data.folder / "text.txt/notes").mkdir()
    (data.folder / "text.txt/notes/mine.txt").write_text("mine")
    (data.folder / "text.txt/mine.txt").write_text("mine")
    assert data.rubbish(keep=3) == ["text.txt/2"]


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"nodes": null}', '{"nodes": {"a": {}}}', "[" * 100_000])
def test_a_damaged_manifest_names_nothing_and_goes(data: Data, content: str) -> None:
    data.run("1", text="1", report="1")
    data.version("manifest.json", "2", content)
    assert data.rubbish(keep=3) == ["manifest.json/2"]


def test_without_a_manifest_every_version_is_kept(data: Data) -> None:
    data.version("text.txt", "1")
    data.version("manifest.json", "1", "damaged")
    data.record("write", "1", {"text": "1"})
    assert data.rubbish(keep=1) == []


def test_damaged_records_are_left_to_the_runner(data: Data) -> None:
    data.run("1", text="1", report="1")
    data.run("2", text="2", report="2")
    (data.records / "nodes/count/1.json").write_text("{")
    assert data.rubbish(keep=1) == [
        "records/nodes/write/1.json",
        "manifest.json/1",
        "report.json/1",
        "text.txt/1",
    ]


Kedro = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def kedro(tmp_path: Path, repository: Path) -> Kedro:
    """Commands of the toy project, which lies in the folder of the test."""
    shutil.copytree(Path(__file__).parent / "toy", tmp_path, dirs_exist_ok=True)
    environment = os.environ | {"PYTHONPATH": str(repository / "src"), "COLUMNS": "300"}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "kedro", *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True
        )

    return run


def files(folder: Path) -> set[str]:
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if not file.is_dir()}


def test_the_command_drops_old_versions_and_the_rest_goes_on(kedro: Kedro, tmp_path: Path) -> None:
    for letters in (1, 2, 3):
        for experiment in ("first", "second"):
            parameters = f"letters={letters},experiment={experiment}"
            assert kedro("run", "--runner", INCREMENTAL, "--params", parameters).returncode == 0
    (tmp_path / "data/work/first/part").write_text("of a long node")
    before = files(tmp_path / "data")
    said = kedro("clean", "--keep", "2", "--dry-run")
    assert said.returncode == 0
    assert files(tmp_path / "data") == before
    lines = [line for line in said.stdout.splitlines() if " MiB  " in line]
    assert re.fullmatch(r" +0\.0 MiB  would go: 4 versions, 3 records, 0 unfinished files", lines[-1])
    assert len(lines) == 8
    assert sum("data/made/first/text.txt/" in line for line in lines) == 1

    done = kedro("clean", "--keep", "2", "--work")
    assert done.returncode == 0
    assert "went: 4 versions, 3 records" in done.stdout
    assert all(Path(file).exists() for file in json.loads((tmp_path / "data/records/first/digests.json").read_text()))
    gone = before - files(tmp_path / "data")
    assert {name.split("/")[1] for name in gone} == {"first"}
    assert "work/first/part" in gone
    assert "work/.first.lock" in files(tmp_path / "data")
    assert len(gone) == 8
    assert sorted(file.read_text() for file in tmp_path.glob("data/made/first/text.txt/*/*")) == ["xx", "xxx"]

    again = kedro("run", "--runner", INCREMENTAL, "--params", "letters=2")
    assert again.returncode == 0
    assert len(list(tmp_path.glob("data/made/first/text.txt/*/*"))) == 2  # was kept, and is used again
    once_more = kedro("run", "--runner", INCREMENTAL, "--params", "letters=1")
    assert once_more.returncode == 0
    assert len(list(tmp_path.glob("data/made/first/text.txt/*/*"))) == 3  # was dropped, and is made anew


def test_the_command_waits_for_no_run(kedro: Kedro, tmp_path: Path) -> None:
    (tmp_path / "data/work/first").mkdir(parents=True)
    lock = take_lock(tmp_path / "data/work/first")
    refused = kedro("clean")
    lock.release()
    assert refused.returncode == 1
    assert f"is in use by process {os.getpid()} on" in refused.stderr
    assert "Traceback" not in refused.stderr
    (tmp_path / "data/work/second").mkdir()
    assert kedro("clean", "--experiment", "second").returncode == 0


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("../../src", "--experiment: `../../src` is no name of an experiment but a path"),
        ("frist", "--experiment: there are no results of `frist`; did you mean `first`?"),
    ],
)
def test_the_command_touches_nothing_but_an_experiments_folders(
    kedro: Kedro, tmp_path: Path, name: str, told: str
) -> None:
    (tmp_path / "data/work/first").mkdir(parents=True)
    refused = kedro("clean", "--work", "--experiment", name)
    assert refused.returncode == 1
    assert told in refused.stderr
    assert "Traceback" not in refused.stderr
    assert {path.name for path in (tmp_path / "data/work").iterdir()} == {"first"}
    assert (tmp_path / "src/toy/nodes.py").exists()
