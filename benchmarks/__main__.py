"""All benchmarks, one after another: ``python -m benchmarks`` (an hour on two cores; ``--quick``: minutes)."""

from __future__ import annotations

import argparse
import subprocess
import sys

BENCHMARKS = {
    "prefix_evaluation": "prefix-shared against one-by-one evaluation of subnets",
    "depthwise": "gradients of depthwise convolutions, PyTorch's and ours",
    "train_supernet": "what switching paths costs, and super-networks side by side",
    "map_space": "architectures mapped a second",
    "wired_cells": "freely wired networks beside chains of equal MACs; draws and labels of their graphs",
    "evolution": "evolution against enumeration",
    "segments": "segment by segment against the whole space at once, at equal evaluations (ARCHATLAS_BENCHMARK_DATA)",
    "stages": "seconds and memory of every stage of the default run (make run comes first)",
}
"""What each measures; those of other processes are run alone, so that none shares the machine with another."""

LONG = ("prefix_evaluation", "depthwise", "train_supernet", "wired_cells", "evolution", "segments")
"""Those that know a quick way."""


def main() -> int:
    """The number of benchmarks that failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="see that they work; the figures mean little")
    quick = parser.parse_args().quick
    failed = 0
    for name, what in BENCHMARKS.items():
        print(f"\n== {name}: {what}\n", flush=True)
        options = ["--quick"] if quick and name in LONG else []
        failed += subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *options], check=False).returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main())
