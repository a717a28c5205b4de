"""What large work costs on 1, 10 and 100 machines, computed from measured constants: on paper, there are none here.

    python -m benchmarks.engine_scale
    python -m benchmarks.engine_scale --cores 64 --gigabytes-per-second 2.5

The time of a stage is that of its slowest part, and what cannot overlap with it:

    start + given / link * machines + max(work / workers, tasks * driver, results / link) + longest task / 2

Workers are cores, but no more than tasks. The driver's milliseconds of a task, the time that a worker takes to start,
and the speeds of one core are measured by `benchmarks.engine_overhead`, `benchmarks.prefix_evaluation` and
`benchmarks.map_space`; the link between machines, the cores of each and the length of a training are assumed.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass

MACHINES = (1, 10, 100)


@dataclass(frozen=True)
class Constants:
    """What the times are computed from.

    Attributes:
        start: seconds until all workers run: the cluster is looked at, processes start and import PyTorch (measured).
        driver: seconds of the sending process for a task and its result (measured).
        driver_per_mb: seconds more for each megabyte of its result (measured).
        cores: of each machine (assumed).
        link: bytes a second between two machines (assumed: 10 Gbit/s).
    """

    start: float
    driver: float
    driver_per_mb: float
    cores: int
    link: float


@dataclass(frozen=True)
class Work:
    """A stage.

    Attributes:
        tasks: how many.
        seconds: of one on one core.
        given: bytes that all tasks have in common, which go to each machine once.
        result: bytes of a task's result.
        written: seconds of the sending process to write it.
    """

    name: str
    tasks: int
    seconds: float
    given: float
    result: float
    written: float = 0.0


def seconds(work: Work, machines: int, by: Constants) -> tuple[float, str]:
    """How long it takes, and what it is then bound by."""
    workers = min(machines * by.cores, work.tasks)
    bounds = {
        "work": work.tasks / workers * work.seconds,
        "driver": work.tasks * (by.driver + work.result / 2**20 * by.driver_per_mb + work.written),
        "link": work.tasks * work.result / by.link,
    }
    if workers == work.tasks:
        bounds["tasks"] = bounds.pop("work")
    bound = max(bounds, key=lambda name: bounds[name])
    tail = work.seconds / 2 if bound == "work" else 0.0
    return by.start + work.given / by.link * machines + bounds[bound] + tail, bound


def works(per_second: float, part: int, training: float, mapped: float, span: int, written: float) -> list[Work]:
    """10^5 evaluations, 10^3 trainings, and an atlas of 10^9 networks.

    Args:
        per_second: evaluations of a core.
        part: networks of a task.
        training: seconds of one.
        mapped: networks that a core maps in a second.
        span: networks of a task of the atlas.
        written: seconds to keep a span, and to write it into the atlas.
    """
    cifar = 50_000 * 3 * 32 * 32
    return [
        Work(f"10^5 evaluations, {part} a task", math.ceil(1e5 / part), part / per_second, cifar + 40e6, part * 50.0),
        Work(f"10^3 trainings of {training:g} s", 1000, training, cifar, 4e6),
        Work(f"atlas of 10^9, {span:,} a task", math.ceil(1e9 / span), span / mapped, 20e6, span * 26.0, written),
    ]


def told(time: float) -> str:
    """``"40 s"``, ``"12 min"``, ``"3.4 h"``."""
    if time < 100:
        return f"{time:.0f} s"
    return f"{time / 60:.0f} min" if time < 6000 else f"{time / 3600:.1f} h"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cores", type=int, default=16)
    parser.add_argument("--gigabytes-per-second", type=float, default=1.0)
    parser.add_argument("--start", type=float, default=10.0)
    parser.add_argument("--driver-ms", type=float, default=1.5)
    parser.add_argument("--driver-ms-per-mb", type=float, default=3.1)
    parser.add_argument("--evaluations-per-second", type=float, default=52.0, help="of a core")
    parser.add_argument("--part", type=int, default=200, help="`evaluation.part_size`")
    parser.add_argument("--training", type=float, default=600.0, help="seconds of one on a core")
    parser.add_argument("--mapped-per-second", type=float, default=40_000.0, help="networks of the atlas, of a core")
    parser.add_argument("--span", type=int, default=2**18, help="networks of a task of the atlas")
    parser.add_argument("--span-written", type=float, default=0.2, help="seconds to keep and write a span")
    asked = parser.parse_args()
    by = Constants(
        asked.start, asked.driver_ms / 1e3, asked.driver_ms_per_mb / 1e3, asked.cores, asked.gigabytes_per_second * 1e9
    )
    given = (
        asked.evaluations_per_second,
        asked.part,
        asked.training,
        asked.mapped_per_second,
        asked.span,
        asked.span_written,
    )
    print("| | " + " | ".join(f"{count} machine{'s' * (count > 1)}" for count in MACHINES) + " |")
    print("|---|" + "--:|" * len(MACHINES))
    for work in works(*given):
        cells = [seconds(work, count, by) for count in MACHINES]
        print(f"| {work.name} | " + " | ".join(f"{told(time)} ({bound})" for time, bound in cells) + " |")


if __name__ == "__main__":
    main()
