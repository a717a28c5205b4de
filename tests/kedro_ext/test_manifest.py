"""The manifest of a small project of its own, under Kedro's own runner and under the incremental one."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io import DatasetError
from kedro.runner import AbstractRunner, ParallelRunner, ThreadRunner

from archatlas.kedro_ext import source_code
from archatlas.kedro_ext.incremental import IncrementalRunner
from archatlas.kedro_ext.manifest import EVERY_NODE, NOT_ASKED_FOR
from archatlas.kedro_ext.surroundings import git_state, library_versions

CATALOG = """
numbers: {type: json.JSONDataset, filepath: "data/numbers.json", versioned: true}
total: {type: json.JSONDataset, filepath: "data/total.json", versioned: true}
lines: {type: text.TextDataset, filepath: data/lines.txt}
page: {type: json.JSONDataset, filepath: data/page.json, versioned: true}
manifest: {type: json.JSONDataset, filepath: data/manifest.json, versioned: true, metadata: {incremental: volatile}}
run_records:
  type: archatlas.kedro_ext.datasets.WorkFolderDataset
  filepath: data/records
  metadata: {incremental: volatile}
"""
PARAMETERS = "experiment: toy\nseed: 3\ntraining: {seeds: [0, 1], rate: 0.5}\n"
NODES = """
import time
from pathlib import Path
from archatlas.kedro_ext.stop import RunStopped


def make(training):
    return [1, 2, 3]


def add(numbers, mood):
    if mood == "broken":
        raise ValueError("these cannot be added")
    if mood == "stopped":
        raise RunStopped(15)
    if mood == "slow":
        Path("data/adding").touch()
        time.sleep(60)
    return sum(numbers), float(sum(numbers))


def write(total):
    for line in range(3):
        yield f"{line} {total}\\n"


def show(lines, manifest):
    return {"status": manifest["status"], "nodes": sorted(manifest["nodes"])}
"""
REGISTRY = """
from kedro.pipeline import Pipeline, node
from {package}.nodes import add, make, show, write


def register_pipelines():
    front = Pipeline(
        [
            node(make, "params:training", "numbers", name="make"),
            node(add, ["numbers", "params:mood"], ["total", "in_memory"], name="add"),
        ]
    )
    back = Pipeline(
        [node(write, "total", "lines", name="write"), node(show, ["lines", "manifest"], "page", name="show")]
    )
    return {{"front": front, "back": back, "__default__": front + back}}
"""
SETTINGS = """
from archatlas.kedro_ext.manifest import ManifestHook

HOOKS = (ManifestHook("manifest", distribution="kedro", seeds=("seed", "training.seeds")),)
"""
RUN = """
import sys
from pathlib import Path
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

bootstrap_project(Path.cwd())
with KedroSession.create(Path.cwd(), runtime_params={"mood": sys.argv[1]}) as session:
    session.run()
"""


class Project:
    """make -> add -> write (a stream) -> show (which reads the manifest)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.package = f"toy_{folder.name.replace('-', '_')}"
        for path, text in {
            "pyproject.toml": (
                f'[tool.kedro]\npackage_name = "{self.package}"\nproject_name = "toy"\n'
                f'kedro_init_version = "{metadata.version("kedro")}"\nsource_dir = "src"\n'
            ),
            "conf/base/catalog.yml": CATALOG,
            "conf/base/parameters.yml": PARAMETERS,
            "conf/local/.gitkeep": "",
            ".telemetry": "consent: false\n",
            f"src/{self.package}/__init__.py": "",
            f"src/{self.package}/nodes.py": NODES,
            f"src/{self.package}/settings.py": SETTINGS,
            f"src/{self.package}/pipeline_registry.py": REGISTRY.format(package=self.package),
        }.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        source_code.process_started = time.time()  # Code that is newer than the process is not trusted.

    def run(
        self, pipeline: str = "__default__", runner: AbstractRunner | None = None, mood: str = "good", **arguments: Any
    ) -> str:
        """Run in this process; the session's id."""
        with KedroSession.create(self.folder, runtime_params={"mood": mood}) as session:
            session.run(pipeline_names=[pipeline], runner=runner, **arguments)
            return str(session.session_id)

    def manifests(self) -> list[dict[str, Any]]:
        """All of them, oldest first."""
        return [json.loads(file.read_text()) for file in sorted(self.folder.glob("data/manifest.json/*/manifest.json"))]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    made = Project(tmp_path)
    bootstrap_project(tmp_path)
    yield made
    for name in [name for name in sys.modules if name.split(".")[0] == made.package]:
        del sys.modules[name]


def artifact(path: str, version: str | None) -> dict[str, Any]:
    content = Path(path).read_bytes()
    return {"path": path, "version": version, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def test_a_manifest_says_what_ran_on_what_and_what_made_each_file(project: Project) -> None:
    session = project.run()
    (manifest,) = project.manifests()
    facts = ("experiment", "session", "status", "error", "path", "pipelines", "runner")
    assert {name: manifest[name] for name in facts} == {
        "experiment": "toy",
        "session": session,
        "status": "finished",
        "error": None,
        "path": f"data/manifest.json/{session}/manifest.json",
        "pipelines": ["__default__"],
        "runner": "SequentialRunner",
    }
    assert manifest["parameters"] == {
        "experiment": "toy", "seed": 3, "training": {"seeds": [0, 1], "rate": 0.5}, "mood": "good"
    }  # fmt: skip
    assert manifest["seeds"] == {"seed": 3, "training.seeds": [0, 1]}
    assert manifest["libraries"]["kedro"] == metadata.version("kedro")
    assert manifest["python"] == platform.python_version()
    assert manifest["hardware"]["memory_mib"] > 100
    assert manifest["started"] < manifest["nodes"]["make"]["started"] < manifest["ended"]
    assert list(manifest["nodes"]) == ["make", "add", "write", "show"]
    add = manifest["nodes"]["add"]
    assert {name: add[name] for name in add if name not in ("started", "seconds", "peak_memory_mib")} == {
        "function": f"{project.package}.nodes.add",
        "executed": True,
        "reasons": [EVERY_NODE],
        "fingerprint": None,
        "session": session,
        "inputs": {"numbers": session},
        "outputs": {"total": artifact(f"data/total.json/{session}/total.json", session)},
    }
    assert 0 <= add["seconds"] < 5
    assert add["peak_memory_mib"] > 20


def test_a_stream_counts_to_its_end_and_a_node_that_reads_the_manifest_finds_those_before_it(project: Project) -> None:
    session = project.run()
    nodes = project.manifests()[0]["nodes"]
    assert nodes["write"]["outputs"] == {"lines": artifact("data/lines.txt", None)}
    assert nodes["show"]["inputs"] == {"lines": None}
    page = json.loads(Path(f"data/page.json/{session}/page.json").read_text())
    assert page == {"status": "running", "nodes": ["add", "make", "write"]}


@pytest.mark.parametrize(
    ("mood", "status", "error"),
    [("broken", "failed", "ValueError: these cannot be added"), ("stopped", "stopped", None)],
)
def test_a_run_that_does_not_end_well_names_what_was_done(
    project: Project, mood: str, status: str, error: str | None
) -> None:
    with pytest.raises(Exception, match=r"added|Stopped"):
        project.run(mood=mood)
    (manifest,) = project.manifests()
    assert (manifest["status"], manifest["error"]) == (status, error)
    assert manifest["ended"] > manifest["started"]
    assert list(manifest["nodes"]) == ["make"]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGKILL, "running"), (signal.SIGINT, "stopped")])
def test_a_killed_run_leaves_a_manifest(project: Project, number: int, status: str) -> None:
    environment = os.environ | {"KEDRO_DISABLE_TELEMETRY": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    child = subprocess.Popen(
        [sys.executable, "-c", RUN, "slow"],
        env=environment,
        stderr=subprocess.DEVNULL,
        # Who runs tests in the background has it ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    deadline = time.monotonic() + 60
    while not Path("data/adding").exists():
        assert child.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    child.send_signal(number)
    child.wait()
    (manifest,) = project.manifests()
    assert manifest["status"] == status
    assert (manifest["ended"] is None) == (status == "running")
    assert list(manifest["nodes"]) == ["make"]
    assert [path.name for path in Path("data/manifest.json").glob("*/.*")] == []


@pytest.mark.parametrize("runner", [ThreadRunner, ParallelRunner])
def test_a_session_whose_runner_runs_nodes_side_by_side_is_refused(
    project: Project, runner: type[AbstractRunner]
) -> None:
    with pytest.raises(DatasetError, match=f"{runner.__name__} runs nodes side by side"):
        project.run(runner=runner())
    assert project.manifests() == []


def test_a_run_of_a_part_names_the_nodes_that_made_what_it_reads(project: Project) -> None:
    first = project.run("front")
    second = project.run("front")
    last = project.run("back")
    nodes = project.manifests()[-1]["nodes"]
    assert set(nodes) == {"make", "add", "write", "show"}
    assert [nodes[name]["session"] for name in ("make", "add", "write")] == [second, second, last]
    assert nodes["add"]["reasons"] == [NOT_ASKED_FOR]
    assert nodes["add"]["executed"] is False
    assert nodes["add"]["outputs"] == {"total": artifact(f"data/total.json/{second}/total.json", second)}
    page = json.loads(Path(f"data/page.json/{last}/page.json").read_text())
    assert page["nodes"] == ["add", "make", "write"]

    project.run("back", load_versions={"total": first})
    assert [project.manifests()[-1]["nodes"][name]["session"] for name in ("make", "add")] == [first, first]


def test_the_incremental_runner_says_what_ran_and_what_was_reused(project: Project) -> None:
    first = project.run(runner=IncrementalRunner())
    second = project.run(runner=IncrementalRunner())
    ran, reused = (manifest["nodes"] for manifest in project.manifests())
    assert [manifest["runner"] for manifest in project.manifests()] == ["IncrementalRunner"] * 2
    assert {node["executed"] for node in ran.values()} == {True}
    assert ran["make"]["reasons"] == ["it never ran here"]
    # `add` also gives something that only the caller of the run gets, so it runs; what it saved is the same again.
    assert {name: node["executed"] for name, node in reused.items()} == {
        "make": False, "add": True, "write": False, "show": False
    }  # fmt: skip
    make = reused["make"]
    assert (make["executed"], make["session"], make["reasons"]) == (False, first, [f"nothing changed since {first}"])
    assert make["fingerprint"] == ran["make"]["fingerprint"]
    assert len(make["fingerprint"]) == 64
    assert {name: make[name] for name in ("started", "seconds", "outputs")} == {
        name: ran["make"][name] for name in ("started", "seconds", "outputs")
    }
    assert project.manifests()[1]["session"] == second
    assert not Path(f"data/numbers.json/{second}").exists()


def test_no_data_set_no_manifest(project: Project) -> None:
    catalog = project.folder / "conf/base/catalog.yml"
    catalog.write_text("".join(line for line in catalog.open() if not line.startswith("manifest:")))
    project.run("front")
    assert project.manifests() == []


def git(folder: Path, *arguments: str) -> None:
    names = ["-c", "user.name=toy", "-c", "user.email=toy@example.org"]
    subprocess.run(["git", *names, *arguments], cwd=folder, check=True, capture_output=True)


def test_the_state_of_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = {"commit": None, "dirty": None, "branch": None}
    assert git_state(tmp_path) == nothing
    git(tmp_path, "init", "--initial-branch", "work")
    assert git_state(tmp_path) == {"commit": None, "dirty": False, "branch": "work"}
    (tmp_path / "code.py").write_text("1")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "first")
    head = (tmp_path / ".git/refs/heads/work").read_text().strip()
    assert git_state(tmp_path) == {"commit": head, "dirty": False, "branch": "work"}
    (tmp_path / "code.py").write_text("2")
    assert git_state(tmp_path) == {"commit": head, "dirty": True, "branch": "work"}
    git(tmp_path, "checkout", "--detach")
    assert git_state(tmp_path)["branch"] is None
    monkeypatch.setenv("PATH", "")
    assert git_state(tmp_path) == nothing


def test_libraries_are_those_that_the_distribution_requires() -> None:
    versions = library_versions("kedro")
    assert next(iter(versions)) == "kedro"
    assert {"pluggy", "omegaconf", "click"} <= set(versions)
    assert "pytest" not in versions
    assert library_versions("there-is-no-such-distribution") == {}


def test_the_machine_is_described_without_loading_torch() -> None:
    code = "import sys, archatlas.kedro_ext.surroundings as it; it.hardware(); sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}, check=True)


def test_damaged_manifests_name_nothing(project: Project) -> None:
    first = project.run("front")
    nodes = ("null", "[]", '{"a": null}', '{"a": {"inputs": {}, "outputs": {"total": null}}}', '{"a": {"inputs": []}}')
    for number, content in enumerate(["null", "[]", "{", "[" * 100_000, *(f'{{"nodes": {one}}}' for one in nodes)]):
        file = project.folder / f"data/manifest.json/9999-01-01T00.00.0{number}.000Z/manifest.json"
        file.parent.mkdir()
        file.write_text(content)
    last = project.run("back")
    manifest = json.loads((project.folder / f"data/manifest.json/{last}/manifest.json").read_text())
    assert manifest["nodes"]["add"]["session"] == first
