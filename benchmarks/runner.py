"""What the incremental runner costs: ``python -m benchmarks.runner [--env tiny] [--repeats 5]``.

Runs the chain once into an experiment of its own, for the share that deciding and recording take of it; then again and
again with nothing changed, beside ``kedro registry list`` in turn. Nothing else should run on the machine.
"""

from __future__ import annotations

import argparse
import re
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

_PROJECT = Path(__file__).resolve().parent.parent
_EXPERIMENT = "runner-benchmark"


def kedro(*arguments: str) -> tuple[float, str]:
    """Seconds of a command, and what it logged; ends the benchmark if it failed."""
    begun = time.perf_counter()
    command = [sys.executable, "-m", "kedro", *arguments]
    answer = subprocess.run(command, cwd=_PROJECT, capture_output=True, text=True, check=False)
    if answer.returncode:
        sys.exit(answer.stdout + answer.stderr)
    return time.perf_counter() - begun, answer.stdout + answer.stderr


def own_seconds(log: str) -> tuple[int, float]:
    """Nodes that ran, and the seconds that deciding and recording took."""
    found = re.search(r"(\d+) of \d+ nodes ran; deciding and recording took ([\d.]+) s", log)
    assert found is not None, log
    return int(found[1]), float(found[2])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--env", default="local", help="configuration environment; the default chain without")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    run = ["run", "--env", options.env, "--params", f"experiment={_EXPERIMENT}"]
    try:
        seconds, log = kedro(*run)
        ran, own = own_seconds(log)
        print(f"whole run: {seconds:.1f} s, {ran} nodes; deciding and recording {own:.2f} s = {own / seconds:.2%}")
        unchanged, listed = [], []
        for _ in range(options.repeats):
            seconds, log = kedro(*run)
            assert own_seconds(log)[0] == 0, log
            unchanged.append(seconds)
            listed.append(kedro("registry", "list")[0])
        again, beside = statistics.median(unchanged), statistics.median(listed)
        print(
            f"nothing changed: 0 nodes, {again:.2f} s; kedro registry list {beside:.2f} s, medians of {options.repeats}"
        )
        print(f"  {again:.2f} s against a bound of 1.5 x {beside:.2f} + 2 = {1.5 * beside + 2:.2f} s")
    finally:
        for folder in (_PROJECT / "data").glob(f"*/{_EXPERIMENT}"):
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
