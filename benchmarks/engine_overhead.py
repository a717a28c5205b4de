"""What tasks on a Ray cluster cost beside their work, and what that comes to on more machines than there are here.

    python -m benchmarks.engine_overhead            # some minutes on two quiet cores
    python -m benchmarks.engine_overhead --quick    # a check that it works

Two machines with a core each on loopback, against two local processes:

- trainings of the default run's kind (networks of `digits`, 8 epochs of batches of 64, as many images): rounds of both
  alternate, with processes that have started already, and the median of the rounds counts. The target is .9 of the
  throughput. On a machine that others use, seconds of the workers' processors say more than the clock.
- tasks without work: milliseconds of each at 1,000 (target 10), and of this process's own time, which bounds how many
  tasks a second it can hand out; the same with results of a megabyte.
- memory of this process after 1,000 and after 10,000 tasks, each with a result of 100 kB.
- what is given to all tasks, 200 MB: seconds until it is in the object store, and until another machine has it.
"""

from __future__ import annotations

import argparse
import logging
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import torch
from benchmarks.clusters import loopback, workers
from ray.cluster_utils import Cluster

from archatlas.engines.engine import LocalEngine, Shares, side_by_side, using
from archatlas.engines.make import working_on
from archatlas.engines.parameters import EngineParameters
from archatlas.images.dataset import ImageSplit
from archatlas.images.description import ImageDescription
from archatlas.images.parameters import AugmentationParameters
from archatlas.spaces.presets import preset
from archatlas.storage.work_store import WorkStore
from archatlas.training.parameters import DeviceParameters, TrainingParameters
from archatlas.verification.trainings import TrainingJob, Trainings

_REPOSITORY = Path(__file__).parent.parent
_TRAIN, _VALIDATION = 1150, 287
_SHARES = Shares(2, 1)


def split(count: int) -> ImageSplit:
    """Random images of the size of the digits."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (count, 1, 8, 8), generator=generator, dtype=torch.uint8)
    return ImageSplit(pixels, torch.arange(count) % 10)


def train(networks: int, round_: int, folder: Path) -> float:
    """Seconds of so many trainings, none of which was done before."""
    space = preset("digits", (1, 8, 8), 10)
    description = ImageDescription(
        class_names=tuple("0123456789"), channels=1, image_size=8, mean=(0.3,), std=(0.3,),
        splits={"train": _TRAIN}, source="made",
    )  # fmt: skip
    trainings = Trainings(
        split(_TRAIN), split(_VALIDATION), description, TrainingParameters(epochs=8), AugmentationParameters(),
        DeviceParameters(accelerator="cpu", workers=2), WorkStore(folder),
    )  # fmt: skip
    names = space.names(space.sample(networks, np.random.default_rng(0))).tolist()
    jobs = [TrainingJob(space, name, seed=round_) for name in names]
    begun = time.perf_counter()
    trainings.run(jobs)
    return time.perf_counter() - begun


def memory_mib() -> float:
    """What this process holds in memory of its own; the object store that it shares is not its."""
    memory = psutil.Process().memory_info()
    return float(memory.rss - memory.shared) / 2**20


def per_task(count: int, result_bytes: int) -> tuple[float, float]:
    """Milliseconds of a task without work, and of this process's own time."""

    def work(number: int) -> bytes:
        return bytes(result_bytes)

    begun, own = time.perf_counter(), time.process_time()
    with side_by_side(work, range(count), shares=_SHARES) as results:
        for result in results:
            assert len(result) == result_bytes
    return (time.perf_counter() - begun) / count * 1e3, (time.process_time() - own) / count * 1e3


def carried(megabytes: int) -> tuple[float, float]:
    """Seconds until what is given is in the object store, and until a task on another machine has it."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    def take(given: list[object]) -> float:
        begun = time.perf_counter()
        ray.get(given[0])
        return time.perf_counter() - begun

    here = ray.get_runtime_context().get_node_id()
    other = next(node["NodeID"] for node in ray.nodes() if node["Alive"] and node["NodeID"] != here)
    content = np.ones(megabytes * 2**17)
    begun = time.perf_counter()
    reference = ray.put(content)
    put = time.perf_counter() - begun
    elsewhere = NodeAffinitySchedulingStrategy(other, soft=False)
    return put, ray.get(ray.remote(take).options(scheduling_strategy=elsewhere, num_cpus=0).remote([reference]))


def main() -> None:
    options = _parse()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before")
    path = os.pathsep.join([str(_REPOSITORY / "src"), str(_REPOSITORY)])
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    # Ray's workers let others go first, which counts where others work on the machine too; and a machine keeps as many
    # idle ones as it has cores, of which the actor for letters takes one: here the only one.
    alike = {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    alike |= {"RAY_worker_niceness": "0", "RAY_num_workers_soft_limit": "3"}
    with tempfile.TemporaryDirectory() as temporary, loopback(nodes=2, **alike) as cluster:
        begun = time.perf_counter()
        with working_on(EngineParameters(name="ray", address="auto")):
            print(f"connected and looked at: {time.perf_counter() - begun:.1f} s", flush=True)
            rounds, networks = (1, 4) if options.quick else (options.rounds, options.networks)
            _tell_of_trainings(rounds, networks, Path(temporary), cluster)
            _tell_of_tasks(100 if options.quick else 1000)
            put, taken = carried(20 if options.quick else 200)
            print(f"given to all: {put:.2f} s into the object store, {taken:.2f} s to another machine")


def _tell_of_trainings(rounds: int, networks: int, folder: Path, cluster: Cluster) -> None:
    """Seconds on the clock, and of the workers' processors: the latter hardly depend on what else the machine does."""
    local, there = [], []
    for round_ in range(rounds + 1):
        before = cpu_seconds(workers(cluster, busy=False))
        clock = train(networks, round_, folder / "ray")
        there.append((clock, cpu_seconds(workers(cluster, busy=False)) - before))
        with using(LocalEngine()):
            before = cpu_seconds(_processes())
            clock = train(networks, round_, folder / "local")
            local.append((clock, cpu_seconds(_processes()) - before))
    print(f"first round, in which workers start: {there[0][0]:.1f} s, by processes {local[0][0]:.1f} s")
    for number, what in enumerate(("on the clock", "of the workers' processors")):
        ratios = [here[number] / far[number] for here, far in zip(local[1:], there[1:], strict=True)]
        medians = [statistics.median(times[number] for times in of[1:]) for of in (there, local)]
        print(f"{networks} trainings, seconds {what}: {medians[0]:.2f} on a cluster, {medians[1]:.2f} by processes")
        shown = ", ".join(f"{one:.3f}" for one in ratios)
        print(f"  ratio {statistics.median(ratios):.3f} (target .9); of the rounds {shown}", flush=True)


def cpu_seconds(processes: list[psutil.Process]) -> float:
    """That they have had so far."""
    return sum(one.cpu_times().user + one.cpu_times().system for one in processes)


def _processes() -> list[psutil.Process]:
    """Local workers."""
    return [one for one in psutil.Process().children(recursive=True) if "loky" in " ".join(one.cmdline())]


def _tell_of_tasks(count: int) -> None:
    per_task(20, 0)
    for size in (0, 2**20):
        whole, own = per_task(count, size)
        print(f"{count} tasks, results of {size} bytes: {whole:.1f} ms each, {own:.2f} ms of this process", flush=True)
    for tasks in (count, 9 * count):
        per_task(tasks, 100_000)
        print(f"after {tasks} more tasks of 100 kB: {memory_mib():.0f} MiB", flush=True)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--networks", type=int, default=24)
    return parser.parse_args()


if __name__ == "__main__":
    main()
