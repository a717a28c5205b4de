from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from kedro.io import DatasetError

from archatlas.kedro_ext.experiments import ExperimentsDataset


def dataset(folder: Path) -> ExperimentsDataset:
    return ExperimentsDataset(filepath=f"{folder}/data/reporting/*/manifest.json", outputs=["metrics", "front"])


def leave(folder: Path, experiment: str, session: str, *made: str, status: str = "finished") -> Path:
    """A run's manifest, and the files of what it made."""
    path = Path("data/reporting") / experiment / "manifest.json" / session / "manifest.json"
    outputs: dict[str, Any] = {}
    for name in made:
        outputs[name] = {"path": f"data/{experiment}/{session}/{name}"}
        (folder / outputs[name]["path"]).parent.mkdir(parents=True, exist_ok=True)
        (folder / outputs[name]["path"]).write_text(session)
    (folder / path).parent.mkdir(parents=True)
    nodes = {f"make_{name}": {"outputs": {name: output}} for name, output in outputs.items()}
    (folder / path).write_text(json.dumps({"session": session, "status": status, "path": str(path), "nodes": nodes}))
    return folder / path


def test_each_experiment_stands_for_its_newest_finished_run_that_made_all(tmp_path: Path) -> None:
    first = leave(tmp_path, "a", "2026-01-01", "metrics", "front")
    newest = leave(tmp_path, "b", "2026-01-02", "metrics", "front", "atlas")
    leave(tmp_path, "b", "2026-01-01", "metrics", "front")
    leave(tmp_path, "a", "2026-01-02", "metrics", "front", status="failed")
    leave(tmp_path, "a", "2026-01-03", "front")
    leave(tmp_path, "c", "2026-01-01", "metrics")
    loaded = dataset(tmp_path).load()
    assert {name: manifest["session"] for name, manifest in loaded.items()} == {"a": "2026-01-01", "b": "2026-01-02"}
    made = tmp_path / "data/a/2026-01-01"
    assert loaded["a"]["nodes"]["make_front"]["outputs"]["front"]["path"] == str(made / "front")
    assert dataset(tmp_path).artifact_paths() == [
        first, made / "metrics", made / "front", newest,
        tmp_path / "data/b/2026-01-02/metrics", tmp_path / "data/b/2026-01-02/front",
    ]  # fmt: skip


def test_a_file_that_is_gone_is_not_listed(tmp_path: Path) -> None:
    manifest = leave(tmp_path, "a", "2026-01-01", "metrics", "front")
    (tmp_path / "data/a/2026-01-01/metrics").unlink()
    assert dataset(tmp_path).artifact_paths() == [manifest, tmp_path / "data/a/2026-01-01/front"]


def test_no_experiments(tmp_path: Path) -> None:
    assert dataset(tmp_path).load() == {}
    assert dataset(tmp_path).artifact_paths() == []
    assert not dataset(tmp_path).exists()


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        "{}",
        "null",
        "[" * 100_000,
        '{"status": "finished", "nodes": {"a": 1}}',
        '{"status": "finished", "nodes": []}',
    ],
)
def test_a_damaged_manifest_is_named(tmp_path: Path, content: str) -> None:
    file = leave(tmp_path, "a", "2026-01-01", "metrics", "front")
    file.write_text(content)
    with pytest.raises(DatasetError, match=f"{file} is damaged"):
        dataset(tmp_path).load()


@pytest.mark.parametrize("filepath", ["data/manifest.json", "data/*/*/manifest.json"])
def test_the_path_needs_one_star(filepath: str) -> None:
    with pytest.raises(DatasetError, match="one `\\*`"):
        ExperimentsDataset(filepath=filepath)
