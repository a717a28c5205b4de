"""Ray clusters of several machines on this one, for tests and measurements: each machine is a raylet of its own."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil
from ray.cluster_utils import Cluster

TITLE = "ray::archatlas"
"""What worker processes are called while they run one of our tasks."""


@contextmanager
def loopback(nodes: int = 2, cpus: int = 1, **environment: str) -> Iterator[Cluster]:
    """A cluster of so many raylets with so many CPUs each; processes that are started within find it as ``auto``.

    Its workers look for code where this process does (``PYTHONPATH``), or as ``environment`` says.
    """
    before = os.environ.get("RAY_ADDRESS")
    cluster = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": cpus, "include_dashboard": False, "env_vars": environment, **_MEMORY},
    )
    try:
        for _ in range(nodes - 1):
            add_node(cluster, cpus, **environment)
        os.environ["RAY_ADDRESS"] = cluster.address
        yield cluster
    finally:
        os.environ.pop("RAY_ADDRESS")
        if before is not None:
            os.environ["RAY_ADDRESS"] = before
        cluster.shutdown()


_MEMORY = {"object_store_memory": 300 * 2**20}


def add_node(cluster: Cluster, cpus: int = 1, gpus: int = 0, **environment: str) -> Any:
    """One more machine; it need not have the GPUs that it tells of."""
    return cluster.add_node(num_cpus=cpus, num_gpus=gpus, env_vars=environment, **_MEMORY)


def workers(cluster: Cluster, busy: bool = True) -> list[psutil.Process]:
    """Worker processes of the cluster: those that run one of our tasks, or all."""
    raylets = [
        node.all_processes["raylet"][0].process.pid
        for node in cluster.list_all_nodes()
        if "raylet" in node.all_processes
    ]
    found = []
    for pid in raylets:
        try:
            children = psutil.Process(pid).children(recursive=True)
            found += [one for one in children if _title(one).startswith(TITLE if busy else "ray::")]
        except psutil.NoSuchProcess:
            continue
    return found


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def wait_for_worker(cluster: Cluster, seconds: float = 60.0) -> psutil.Process:
    """A worker that runs one of our tasks, as soon as there is one."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := workers(cluster):
            return found[0]
        time.sleep(0.02)
    raise TimeoutError(f"no worker ran a task within {seconds:g} s")


def wait_for_rest(cluster: Cluster, seconds: float = 30.0) -> float:
    """Seconds until no worker runs one of our tasks any more."""
    begun = time.monotonic()
    while workers(cluster):
        if time.monotonic() - begun > seconds:
            raise TimeoutError(f"tasks still run after {seconds:g} s: {workers(cluster)}")
        time.sleep(0.05)
    return time.monotonic() - begun
