"""The whole chain on a cluster of two machines, of which a worker is killed: the same bytes as in one process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from benchmarks.clusters import loopback, wait_for_rest, wait_for_worker
from benchmarks.crashes import checkout, finished, results

pytestmark = [pytest.mark.chains, pytest.mark.timeout(900)]


def test_a_cluster_that_loses_a_worker_makes_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # Of this machine's processes too: as many as a task has.
    folder = checkout(tmp_path)
    finished(folder)
    expected = results(folder)
    (folder / "data").rename(folder / "local")
    (folder / "log.txt").unlink()
    with loopback(nodes=2, PYTHONPATH=str(folder / "src"), OMP_NUM_THREADS="1") as cluster:
        process = started(folder, "engine.name=ray,engine.address=auto")
        wait_for_worker(cluster).send_signal(signal.SIGKILL)
        assert process.wait(timeout=600) == 0, (folder / "log.txt").read_text()[-3000:]
        wait_for_rest(cluster)
        assert all(node.all_processes["raylet"][0].process.poll() is None for node in cluster.list_all_nodes())
    assert "a worker of the cluster was killed: its task is sent again (1 of 3)" in (folder / "log.txt").read_text()
    found = results(folder)
    assert sorted(name for name in expected | found if expected.get(name) != found.get(name)) == []
    assert len(found) > 50
    again = started(folder, "engine.name=local")  # Another engine makes nothing run again but the page that names it.
    assert again.wait(timeout=60) == 0
    assert " 1 of 42 nodes ran" in (folder / "log.txt").read_text()


def started(folder: Path, parameters: str) -> psutil.Popen:
    environment: dict[str, Any] = {"KEDRO_ENV": "tiny", "KEDRO_DISABLE_TELEMETRY": "1"}
    environment |= {"PYTHONPATH": str(folder / "src")}
    with (folder / "log.txt").open("a") as log:
        return psutil.Popen(
            [sys.executable, "-m", "kedro", "run", "--params", parameters],
            cwd=folder, env=os.environ | environment, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
