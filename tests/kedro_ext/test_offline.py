"""Nothing is asked of the network that the user did not ask for."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

LOAD = """
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
bootstrap_project(".")
with KedroSession.create(project_path=".") as session:
    session.load_context().catalog
"""


def test_where_the_file_of_consent_is_missing_a_run_sends_nothing(
    repository: Path, watched: Any, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    shutil.copy(repository / "pyproject.toml", project)
    for name in ("conf", "src"):
        shutil.copytree(repository / name, project / name, ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run([sys.executable, "-c", LOAD], cwd=project, env=watched.environment, check=True)
    assert watched.hosts == set()


def test_commands_send_no_telemetry(repository: Path, watched: Any) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kedro", "registry", "list"],
        cwd=repository, env=watched.environment, capture_output=True, text=True,
    )  # fmt: skip
    assert "prepare_images" in done.stdout
    assert watched.hosts == set()


def test_the_watch_sees_what_asks(watched: Any) -> None:
    code = "from kedro_viz.integrations.pypi import get_latest_version as ask; assert ask() is None"
    subprocess.run([sys.executable, "-c", code], env=watched.environment, check=True)
    assert watched.hosts == {"pypi.python.org"}


def test_kedro_viz_starts_and_is_opened_offline(repository: Path, watched: Any) -> None:
    port = next(port for port in range(20_000 + os.getpid() % 10_000, 49_000) if _is_free(port))
    command = [sys.executable, "-m", "kedro", "viz", "run", "--no-browser", "--port", str(port)]
    process = subprocess.Popen(command, cwd=repository, env=watched.environment, start_new_session=True)
    try:
        page = ""
        deadline = time.monotonic() + 120
        while not page:
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.5)
            try:
                page = _get(port, "")
            except OSError:
                continue
        assert '"is_outdated":false' in _get(port, "api/version")
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)
    assert "heapanalytics" not in page
    assert watched.hosts == set()


def _is_free(port: int) -> bool:
    """Whether nothing listens there; kedro-viz takes no port that the system would give."""
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) != 0


def _get(port: int, path: str) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://127.0.0.1:{port}/{path}", timeout=10) as answer:
        return str(answer.read().decode())
