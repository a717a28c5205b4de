"""The way to a cluster, and whether its machines can do the work: told before any is sent."""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from archatlas.engines.parameters import EngineParameters, host_and_port
from archatlas.engines.ray.identity import difference, identity
from archatlas.errors import ArchatlasError

_REACH_SECONDS = 5.0
_ANSWER_SECONDS = 60.0
"""For a machine to start a process that says what it has."""
_SILENT_SECONDS = 20.0
"""So long a cluster may be without the process that keeps its list of machines; where that is kept elsewhere (Redis),
it begins anew."""
_INSTALL = "pip install 'archatlas[ray]'"


def require_ray(parameters: EngineParameters) -> None:
    """ArchatlasError if what the address needs is not installed."""
    for module, what in (("ray", "Ray"), ("grpc", "what Ray needs for an address ray://... (grpcio)")):
        needed = module == "ray" or (parameters.address or "").startswith("ray://")
        if needed and find_spec(module) is None:
            raise ArchatlasError(
                f"`engine.name` is ray, but {what} is not installed: {_INSTALL}, here and on all machines of the "
                "cluster, or set `engine.name` to local"
            )


def connect(address: str | None) -> bool:
    """Connect this process to the cluster; whether it was not connected before, and so is to leave it again."""
    # Nothing is sent or asked for that nobody asked for; read by Ray when it is imported or starts.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Tasks without GPUs see none.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray

    if ray.is_initialized():
        return False
    if address is not None and address.startswith("ray://"):
        _reach(address)
    quiet: dict[str, Any] = {"log_to_driver": False, "configure_logging": False, "logging_level": "ERROR"}
    if address is None:
        quiet["include_dashboard"] = False
    logging.getLogger("ray").setLevel(logging.ERROR)  # It tells of each choice that it makes.
    with _signals_kept():
        try:
            ray.init(address=address or "local", **quiet)
        except Exception as error:
            ray.shutdown()
            raise ArchatlasError(_trouble(address, error)) from error
    return True


class Head:
    """The machine that the cluster began with: without it there is none."""

    def __init__(self, address: str | None) -> None:
        import ray

        asked = address
        if address is None or address == "auto":
            # A client (`RAY_ADDRESS`) may not reach what the cluster's machines call their head: it is not looked at.
            is_client = ray.util.client.ray.is_connected()  # type: ignore[no-untyped-call]
            asked = None if is_client else f"ray://{ray.get_runtime_context().gcs_address}"
        self._place = None if asked is None else host_and_port(asked if "://" in asked else f"ray://{asked}")
        self._silent_since: float | None = None

    def look(self) -> bool:
        """Whether it answers.

        Raises ArchatlasError once it has been silent for ``_SILENT_SECONDS``: after a minute Ray ends the process.
        """
        if self._place is None:
            return True
        host, port = self._place
        try:
            _connected(host, port)
        except OSError as error:
            now = time.monotonic()
            self._silent_since = now if self._silent_since is None else self._silent_since
            if now - self._silent_since < _SILENT_SECONDS:
                return False
            raise ArchatlasError(
                f"the machine that the Ray cluster began with ({host}, port {port}) has not answered for "
                f"{_SILENT_SECONDS:g} seconds, and without it there is no cluster: start one again (`ray start --head`"
                ") and run the same command again. What was finished is kept."
            ) from error
        self._silent_since = None
        return True

    @contextmanager
    def blamed(self) -> Iterator[None]:
        """What the cluster cannot do in the block because this machine is gone is told as that."""
        import ray

        try:
            yield
        except (ray.exceptions.RayError, ConnectionError):
            self.wait()
            raise

    def wait(self) -> None:
        """Come back once it answers; raises as :meth:`look` does, which counts from now on."""
        self._silent_since = None
        while not self.look():
            time.sleep(1)


def _connected(host: str, port: int) -> None:
    socket.create_connection((host, port), timeout=_REACH_SECONDS).close()


def _reach(address: str) -> None:
    host, port = host_and_port(address)
    try:
        _connected(host, port)
    except OSError as error:
        raise ArchatlasError(
            f"`engine.address` is {address}, but nothing answers there ({error.strerror or error}): start the cluster "
            "(`ray start --head` on its first machine), or give the address where its port 10001 can be reached"
        ) from error


def _trouble(address: str | None, error: Exception) -> str:
    told = re.sub(r"\s+", " ", str(error)).strip()
    if "mismatch" in told.lower():
        return f"the cluster at `engine.address` = {address} has other versions than this process: {told[:400]}"
    if address is None:
        return f"Ray cannot be started on this machine: {told[:400]}"
    if address == "auto":
        return (
            "`engine.address` is auto, but this machine is in no Ray cluster that answers: `ray start --head` makes "
            "one, `ray start --address=HOST:6379` joins one; or set `engine.address` to null, and Ray is started here "
            f"for the run. Ray says: {told[:200]}"
        )
    return f"`engine.address` is {address}, but no Ray cluster answers there: {told[:300]}"


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Leave signals to who listened before: Ray would answer SIGTERM by an exit of its own."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:
                signal.signal(number, handler)


def machines() -> list[dict[str, Any]]:
    """Ray's description of each machine that is alive."""
    import ray

    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return [node for node in nodes if node["Alive"]]


def room(cpus: float, gpus: float) -> int:
    """How many tasks of so many CPUs and GPUs all machines have room for at a time, when nothing else runs there."""
    return sum(_room(node["Resources"], cpus, gpus) for node in machines())


def _room(resources: dict[str, float], cpus: float, gpus: float) -> int:
    by_cpu = int(resources.get("CPU", 0) // cpus)
    by_gpu = resources.get("GPU", 0)
    if not gpus:
        return by_cpu
    # 1 // 0.2 is 4, though Ray gives a fifth of a GPU to five.
    return min(by_cpu, int(by_gpu // gpus) if gpus >= 1 else int(by_gpu) * int(1 / gpus + 1e-9))


def require_room(parameters: EngineParameters) -> None:
    """ArchatlasError if no machine has what a task asks for: it would wait for ever."""
    asked = {"cpus_per_task": ("CPU", parameters.cpus_per_task), "gpus_per_task": ("GPU", parameters.gpus_per_task)}
    for name, (resource, count) in asked.items():
        most = _most(resource)
        if count > most:
            less = f"ask for at most {most:g}" if most else f"set it to {0 if resource == 'GPU' else 1}"
            raise ArchatlasError(
                f"`engine.{name}` is {count:g}, but no machine of the cluster has more than {most:g} {resource}s, and "
                f"a task would wait for ever: {less}, or add a machine"
            )
    if room(parameters.cpus_per_task, parameters.gpus_per_task) == 0:
        raise ArchatlasError(
            f"no machine of the cluster has both `engine.cpus_per_task` = {parameters.cpus_per_task} CPUs and "
            f"`engine.gpus_per_task` = {parameters.gpus_per_task:g} GPUs: ask for less, or add a machine"
        )


def require_processes(count: int) -> None:
    """ArchatlasError if no machine has a CPU for each process of a task that has so many."""
    most = _most("CPU")
    if count > most:
        raise ArchatlasError(
            f"{count} processes share a training (`finishing.processes`), but no machine of the cluster has more than "
            f"{most:g} CPUs, and it would wait for ever: ask for at most {max(most, 1):g}, add a machine, or set "
            "`engine.name` to local"
        )


def _most(resource: str) -> float:
    """What the best machine has of it."""
    return max((node["Resources"].get(resource, 0) for node in machines()), default=0)


def require_alike() -> None:
    """ArchatlasError if a machine lacks the package, or has another version of it or of a library that counts."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    def look() -> dict[str, str] | str:
        # Sent as code, not by name: it has to run where there is no archatlas.
        try:
            from archatlas.engines.ray.identity import identity
        except ImportError as error:
            return str(error)
        return identity()

    nodes = [node for node in machines() if node["Resources"].get("CPU", 0) > 0]
    looks: Any = ray.remote(num_cpus=0, max_retries=1)(look)
    asked = {
        looks.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)).remote(): node
        for node in nodes
    }
    ready, _ = ray.wait(list(asked), num_returns=len(asked), timeout=_ANSWER_SECONDS)
    problems = []
    for reference, node in asked.items():
        name = node["NodeManagerHostname"] or node["NodeManagerAddress"]
        problem = _problem(reference) if reference in ready else f"did not answer within {_ANSWER_SECONDS:g} seconds"
        if problem is not None:
            problems.append(f"{name} ({node['NodeID'][:8]}) {problem}")
    if problems:
        raise ArchatlasError(
            f"{len(problems)} of {len(nodes)} machines of the cluster cannot do this work: {'; '.join(problems)}. "
            f"Results must not depend on where they are made: install the same everywhere ({_INSTALL}), or take them "
            "out of the cluster (`ray stop` there)"
        )


def _problem(reference: Any) -> str | None:
    import ray

    try:
        found = ray.get(reference)
    except ray.exceptions.RayError as error:
        return f"could not answer ({type(error).__name__})"
    if isinstance(found, str):
        return f"has no archatlas ({found})"
    return difference(identity(), found)
