"""Faults of a cluster, each tried on a real one of two machines on loopback, from a clean state.

    python -m benchmarks.engine_faults --times 3
    python -m benchmarks.engine_faults --only driver,node

The run is that of ``benchmarks.engine_job``; what it ends with is compared byte by byte to a run by local processes. A
fault is survived if the run (where it was stopped: the same command again) ends with the same bytes, or where it cannot
go on, says why in one message of its own; and if nothing is left running and the cluster is left alone. A result is
lost if it was in the work store and was made again. Ends non-zero if anything is lost or not survived.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
from benchmarks.clusters import add_node, loopback, wait_for_rest, wait_for_worker, workers
from ray.cluster_utils import Cluster

_REPOSITORY = Path(__file__).parent.parent
_PATH = os.pathsep.join([str(_REPOSITORY / "src"), str(_REPOSITORY)])
_ALIKE = {"PYTHONPATH": _PATH, "OMP_NUM_THREADS": "1"}
_SECONDS = 240.0


@dataclass(frozen=True)
class Job:
    """A run under way, or to be started, in a folder of its own."""

    folder: Path
    cluster: Cluster
    reference: str
    random: random.Random

    def start(self, fault: str = "none", **engine: Any) -> psutil.Popen:
        command = [sys.executable, "-m", "benchmarks.engine_job", str(self.folder), "--fault", fault]
        asked = json.dumps({"name": "ray", "address": "auto"} | engine)
        with (self.folder / "log.txt").open("a") as log:
            return psutil.Popen(
                [*command, "--engine", asked],
                cwd=_REPOSITORY, env=os.environ | _ALIKE, stdout=log, stderr=subprocess.STDOUT,
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
            )  # fmt: skip

    @property
    def log(self) -> str:
        return (self.folder / "log.txt").read_text()

    @property
    def told(self) -> list[str]:
        """The messages that a run ended with."""
        return [line.removeprefix("told: ") for line in self.log.splitlines() if line.startswith("told: ")]

    def wait_a_while(self, process: psutil.Popen) -> None:
        """Until a task runs, some of the time that the run takes, and until a task runs again.

        Raises TooLateError if the run ends before.
        """
        wait_for_worker(self.cluster)
        time.sleep(self.random.uniform(0.0, 8.0))
        while not workers(self.cluster):  # Between two stages.
            if process.poll() is not None:
                raise TooLateError
            time.sleep(0.01)

    def results(self) -> dict[str, int]:
        """When each finished result was written."""
        files = (self.folder / "work").rglob("*.*")
        kept = [file for file in files if file.is_file() and "checkpoint" not in str(file) and file.name[0] != "."]
        return {str(file.relative_to(self.folder)): file.stat().st_mtime_ns for file in kept}

    def lost(self, before: dict[str, int]) -> int:
        """How many of the results that there were have been made again, or are gone."""
        now = self.results()
        return sum(now.get(name) != when for name, when in before.items())

    def same_bytes(self) -> bool:
        made = self.folder / "tables.json"
        return made.exists() and made.read_text() == self.reference

    def quiet(self) -> bool:
        """Whether nothing of the run is left, and the cluster stands."""
        wait_for_rest(self.cluster)
        return all(
            node.all_processes["raylet"][0].process.poll() is None
            for node in self.cluster.list_all_nodes()
            if "raylet" in node.all_processes
        )


class TooLateError(Exception):
    """The run had ended before anything happened to it: nothing was tried."""


Outcome = tuple[bool, int, str]
"""Whether it was survived, results lost, and what was seen."""


def _ends_well(job: Job, process: psutil.Popen, before: dict[str, int], seen: str) -> Outcome:
    code = process.wait(timeout=_SECONDS)
    same, quiet = job.same_bytes(), job.quiet()
    seen += f", {job.log.count('is sent again')} tasks sent again"
    said = "" if code == 0 else f"; exit code {code}: {job.log[-600:]}"
    return code == 0 and same and quiet, job.lost(before), f"{seen}; same bytes: {same}, quiet: {quiet}{said}"


def kill_worker(job: Job) -> Outcome:
    """SIGKILL of a worker"""
    process = job.start()
    job.wait_a_while(process)
    before, found = job.results(), workers(job.cluster)
    if not found:
        raise TooLateError
    found[0].kill()
    return _ends_well(job, process, before, f"{len(before)} results were there")


def kill_node(job: Job) -> Outcome:
    """SIGKILL of a whole machine: its raylet, whose workers end with it"""
    process = job.start()
    job.wait_a_while(process)
    before = job.results()
    node = next(iter(job.cluster.worker_nodes))
    job.cluster.remove_node(node, allow_graceful=False)
    return _ends_well(job, process, before, f"{len(before)} results were there")


def kill_driver(job: Job) -> Outcome:
    """SIGKILL of the run itself, and the same command again"""
    process = job.start()
    job.wait_a_while(process)
    process.kill()
    process.wait()
    quiet, before = job.quiet(), job.results()
    outcome = _ends_well(job, job.start(), before, f"{len(before)} results were there")
    return outcome[0] and quiet, *outcome[1:]


def kill_head(job: Job) -> Outcome:
    """SIGKILL of the machine that the cluster began with, and the same command again on another cluster"""
    process = job.start()
    job.wait_a_while(process)
    begun = time.monotonic()
    job.cluster.head_node.kill_gcs_server(check_alive=False)
    job.cluster.head_node.kill_raylet(check_alive=False)
    code, before = process.wait(timeout=_SECONDS), job.results()
    seen = f"the run ended {time.monotonic() - begun:.0f} s later with {code}: {job.told}"
    told = len(job.told) == 1 and job.told[0].startswith("the machine that the Ray cluster began with") and code == 1
    with loopback(nodes=2, **_ALIKE) as other:
        outcome = _ends_well(replace(job, cluster=other), replace(job, cluster=other).start(), before, seen)
    return outcome[0] and told, *outcome[1:]


def ctrl_c(job: Job) -> Outcome:
    """Ctrl-C, and the same command again"""
    process = job.start()
    job.wait_a_while(process)
    process.send_signal(signal.SIGINT)
    code = process.wait(timeout=30)
    seconds, before = wait_for_rest(job.cluster), job.results()
    told = len(job.told) == 1 and "Traceback" not in job.log and code == 130
    seen = f"exit code {code}, nothing ran {seconds:.1f} s later, {len(before)} results were there"
    outcome = _ends_well(job, job.start(), before, seen)
    return outcome[0] and told, *outcome[1:]


def always_fails(job: Job) -> Outcome:
    """A task that always fails"""
    process = job.start("broken")
    code = process.wait(timeout=_SECONDS)
    right = job.told == ["`space`: this network cannot be built"] and code == 1 and "Traceback" not in job.log
    return right and job.quiet(), 0, f"exit code {code}: {job.told}"


def out_of_memory(job: Job) -> Outcome:
    """Out of memory in a task, once"""
    process = job.start("hungry")
    seen = "killed by Ray's memory monitor"
    outcome = _ends_well(job, process, {}, seen)
    return outcome[0] and "memory ran out" in job.log, *outcome[1:]


def always_out_of_memory(job: Job) -> Outcome:
    """Out of memory in a task, always"""
    process = job.start("hungry_always", max_retries=1)
    code = process.wait(timeout=_SECONDS)
    right = len(job.told) == 1 and job.told[0].startswith("memory ran out on a machine") and code == 1
    return right and "Traceback" not in job.log and job.quiet(), 0, f"exit code {code}: {job.told}"


def slow_worker(job: Job) -> Outcome:
    """A machine that is ten times slower"""
    process = job.start()
    with _slowed(job.cluster):
        return _ends_well(job, process, {}, "its workers had a tenth of their time")


@contextmanager
def _slowed(cluster: Cluster) -> Iterator[None]:
    """Stop the workers of the second machine for nine tenths of the time."""
    raylet, done = next(iter(cluster.worker_nodes)).all_processes["raylet"][0].process.pid, threading.Event()

    def hold() -> None:
        while not done.is_set():
            with suppress(psutil.Error):
                held = psutil.Process(raylet).children()
                for worker in held:
                    with suppress(psutil.Error):
                        worker.suspend()
                time.sleep(0.45)
                for worker in held:
                    with suppress(psutil.Error):
                        worker.resume()
            time.sleep(0.05)

    thread = threading.Thread(target=hold, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def unalike_machine(job: Job) -> Outcome:
    """A machine with another version of the package"""
    return _refused_machine(job, "import archatlas._version as v; v.__version__ = '9.9'", "has archatlas 9.9, not")


def empty_machine(job: Job) -> Outcome:
    """A machine without the package"""
    return _refused_machine(job, "import sys; sys.modules['archatlas'] = None", "has no archatlas")


def _refused_machine(job: Job, lacks: str, told: str) -> Outcome:
    (job.folder / "sitecustomize.py").write_text(lacks)
    add_node(job.cluster, PYTHONPATH=os.pathsep.join([str(job.folder), _PATH]))
    code = job.start().wait(timeout=_SECONDS)
    right = len(job.told) == 1 and told in job.told[0] and code == 1 and not job.results()
    return right and job.quiet(), 0, f"exit code {code}: {job.told}"


def unreachable(job: Job) -> Outcome:
    """An address that nobody answers at"""
    begun = time.monotonic()
    code = job.start(address="ray://127.0.0.1:9").wait(timeout=_SECONDS)
    seconds = time.monotonic() - begun
    right = len(job.told) == 1 and "nothing answers there" in job.told[0] and code == 1
    return right, 0, f"exit code {code} after {seconds:.0f} s, imports among them: {job.told}"


REPEATED: dict[str, Callable[[Job], Outcome]] = {
    "worker": kill_worker,
    "node": kill_node,
    "driver": kill_driver,
    "ctrl_c": ctrl_c,
}
"""Those that come at a random moment."""
ONCE: dict[str, Callable[[Job], Outcome]] = {
    "broken": always_fails,
    "hungry": out_of_memory,
    "hungry_always": always_out_of_memory,
    "slow": slow_worker,
    "head": kill_head,
    "unalike": unalike_machine,
    "empty": empty_machine,
    "unreachable": unreachable,
}
_SPARE_GIB = 2.5
"""A task may take so much more memory than is taken, where memory runs out."""


def _environment(name: str) -> dict[str, str]:
    if not name.startswith("hungry"):
        return _ALIKE
    memory = psutil.virtual_memory()
    share = (memory.total - memory.available + _SPARE_GIB * 2**30) / memory.total
    return _ALIKE | {"RAY_memory_usage_threshold": f"{share:.3f}", "RAY_memory_monitor_refresh_ms": "50"}


def main(times: int, only: list[str], seed: int) -> int:
    """Number of faults that were not survived, and of results that were lost."""
    outcomes: list[Outcome] = []
    generator = random.Random(seed)
    with tempfile.TemporaryDirectory() as temporary:
        local = Path(temporary, "local")
        local.mkdir()
        begun = time.perf_counter()
        command = [sys.executable, "-m", "benchmarks.engine_job", str(local)]
        subprocess.run(command, cwd=_REPOSITORY, env=os.environ | _ALIKE, check=True)
        print(f"by local processes: {time.perf_counter() - begun:.0f} s", flush=True)
        reference = (local / "tables.json").read_text()
        for name, call in {**REPEATED, **ONCE}.items():
            asked = 0 if only and name not in only else times if name in REPEATED else 1
            while asked:
                folder = Path(tempfile.mkdtemp(prefix=name, dir=temporary))
                begun = time.perf_counter()
                with loopback(nodes=2, **_environment(name)) as cluster:
                    outcome = _tried(call, Job(folder, cluster, reference, generator))
                if outcome is not None:
                    asked -= 1
                    outcomes.append(outcome)
                    well, lost, seen = outcome
                    took = f"{'survived' if well else 'NOT SURVIVED'}, {time.perf_counter() - begun:.0f} s, {lost} lost"
                    print(f"{call.__doc__}: {took}; {seen}", flush=True)
    survived, lost = sum(well for well, _, _ in outcomes), sum(lost for _, lost, _ in outcomes)
    print(f"{survived} of {len(outcomes)} faults survived, {lost} results lost")
    return len(outcomes) - survived + lost


def _tried(call: Callable[[Job], Outcome], job: Job) -> Outcome | None:
    """What became of it; None where the fault came too late."""
    try:
        return call(job)
    except TooLateError:
        return None
    except (TimeoutError, psutil.TimeoutExpired, subprocess.TimeoutExpired) as error:
        return False, 0, f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=3, help="of each fault that comes at a random moment")
    parser.add_argument("--only", type=lambda text: text.split(","), default=[])
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    sys.exit(main(arguments.times, arguments.only, arguments.seed))
