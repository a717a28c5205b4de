"""An environment that says which pipelines it is for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from kedro.framework.startup import bootstrap_project

from archatlas.kedro_ext.default_pipelines import default_pipelines, with_default_pipelines


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The toy project, with a second pipeline and an environment for it."""
    shutil.copytree(Path(__file__).parent / "toy", tmp_path, dirs_exist_ok=True)
    package = tmp_path / "src" / "toy"
    (package / "cli.py").write_text(
        "from archatlas.kedro_ext.commands import incremental_run, project_group\n"
        "run = incremental_run()\ncli = project_group('toy', run)\n"
    )
    registry = package / "pipeline_registry.py"
    registry.write_text(
        registry.read_text()
        + "\n\nwhole = register_pipelines\n\n\ndef register_pipelines():\n"
        + "    return whole() | {'first': whole()['__default__'].only_nodes('make')}\n"
    )
    for name, text in (("one", "pipelines: first\n"), ("list", "pipelines: [first, other]\n"), ("none", "a: 1\n")):
        (tmp_path / "conf" / name).mkdir()
        (tmp_path / "conf" / name / "globals.yml").write_text(text)
    return tmp_path


def kedro(project: Path, repository: Path, *arguments: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(repository / "src"), "COLUMNS": "300"}
    done = subprocess.run(
        [sys.executable, "-m", "kedro", *arguments], cwd=project, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_the_globals_of_an_environment_name_pipelines(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bootstrap_project(project)
    monkeypatch.chdir(project)
    monkeypatch.delenv("KEDRO_ENV", raising=False)
    assert default_pipelines("one") == ["first"]
    assert default_pipelines("list") == ["first", "other"]
    assert default_pipelines("none") == default_pipelines() == []
    assert default_pipelines("one", str(project / "conf")) == ["first"]
    monkeypatch.setenv("KEDRO_ENV", "one")
    assert default_pipelines() == ["first"]
    given = {"pipeline": None, "pipelines": ["other"], "env": "one"}
    assert with_default_pipelines(given) == given
    assert with_default_pipelines({**given, "pipelines": []})["pipelines"] == ["first"]


def test_run_and_explain_take_them_unless_others_are_asked_for(project: Path, repository: Path) -> None:
    assert "1 of 1 nodes run" in kedro(project, repository, "run", "--env", "one", "--explain")
    assert "3 of 3 nodes run" in kedro(project, repository, "run", "--explain")
    assert "3 of 3 nodes run" in kedro(
        project, repository, "run", "--env", "one", "--explain", "--pipelines=__default__"
    )
    kedro(project, repository, "run", "--env", "one")
    made = {path.name for path in (project / "data/made/first").iterdir()}
    assert made == {"text.txt", "manifest.json"}
