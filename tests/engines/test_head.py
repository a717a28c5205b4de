"""The death of the machine that a cluster began with, while tasks run: a real cluster on loopback for each way."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from benchmarks.clusters import loopback, wait_for_worker

from archatlas.engines.ray import cluster as cluster_module
from archatlas.errors import ArchatlasError

RUN = """
import sys, time
from archatlas.engines.engine import Shares, side_by_side
from archatlas.engines.make import working_on
from archatlas.engines.parameters import EngineParameters
from archatlas.engines.ray import cluster, engine
from archatlas.errors import ArchatlasError

cluster._SILENT_SECONDS, engine._HEAD_SECONDS = 3.0, 1.0
try:
    with (
        working_on(EngineParameters(name="ray", address="auto")),
        side_by_side(lambda seconds: time.sleep(seconds), [600, 600, 600], shares=Shares(2, 1)) as results,
    ):
        list(results)
except ArchatlasError as error:
    sys.exit(str(error))
"""
MESSAGE = (
    r"the machine that the Ray cluster began with \([\d.]+, port \d+\) has not answered for 3 seconds, and without it "
    r"there is no cluster: start one again \(`ray start --head`\) and run the same command again\. What was finished "
    r"is kept\."
)


@pytest.mark.chains
@pytest.mark.parametrize("dead", ["gcs_server", "raylet"])
def test_one_message_tells_that_the_cluster_is_gone(repository: Path, dead: str) -> None:
    path = os.pathsep.join([str(repository / "src"), str(repository)])
    with loopback(nodes=2, PYTHONPATH=path, OMP_NUM_THREADS="1") as cluster:
        run = subprocess.Popen(
            [sys.executable, "-c", RUN], env=os.environ | {"PYTHONPATH": path}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        wait_for_worker(cluster)
        cluster.head_node.kill_gcs_server(check_alive=False)
        if dead == "raylet":
            cluster.head_node.kill_raylet(check_alive=False)
        told, _ = run.communicate(timeout=50)  # Ray itself would end it after a minute.
    assert run.returncode == 1
    assert re.fullmatch(MESSAGE, told.strip())


def test_silence_has_to_last_and_ends_with_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    answers, now = [True, False, False, True, False, False, False], iter([0.0, 19.9, 30.0, 49.9, 50.0])

    def connected(host: str, port: int) -> None:
        assert (host, port) == ("10.0.0.1", 6379)
        if not answers.pop(0):
            raise ConnectionRefusedError

    monkeypatch.setattr(cluster_module, "_connected", connected)
    monkeypatch.setattr(time, "monotonic", lambda: next(now))
    head = cluster_module.Head("ray://10.0.0.1:6379")
    assert [head.look() for _ in range(6)] == [True, False, False, True, False, False]
    with pytest.raises(ArchatlasError, match=r"began with \(10\.0\.0\.1, port 6379\) has not answered for 20 seconds"):
        head.look()


def test_a_client_does_not_look_at_a_head_that_it_may_not_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = pytest.importorskip("ray")
    monkeypatch.setattr(ray.util.client.ray, "is_connected", lambda: True)
    assert cluster_module.Head("auto").look()


def test_silence_is_counted_from_the_first_look_of_a_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray")
    head = cluster_module.Head("ray://127.0.0.1:1")
    monkeypatch.setattr(cluster_module, "_SILENT_SECONDS", 0.05)
    assert not head.look()  # Silent for the first time; the stage ends.
    time.sleep(0.1)
    answers = iter([OSError("not yet"), None])

    def connected(host: str, port: int) -> None:
        if (answer := next(answers)) is not None:
            raise answer

    monkeypatch.setattr(cluster_module, "_connected", connected)
    head.wait()
