"""All benchmarks that need nothing but the project and public tables, one after another: ``python -m benchmarks``.

Some hours on two cores; ``--quick``: a quarter of an hour. Tables lie where ARCHATLAS_BENCHMARK_DATA says: those that
need them fail where they are not.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

_TINY = ["--quick"]

BENCHMARKS: dict[str, tuple[str, list[str]]] = {
    "prefix_evaluation": ("prefix-shared against one-by-one evaluation of subnets", _TINY),
    "depthwise": ("gradients of depthwise convolutions, PyTorch's and ours", _TINY),
    "train_supernet": ("what switching paths costs, and super-networks side by side", _TINY),
    "map_space": ("architectures mapped a second", []),
    "wired_cells": ("freely wired networks beside chains of equal MACs; draws and labels of their graphs", _TINY),
    "evolution": ("evolution against enumeration", _TINY),
    "segments": ("segment by segment against the whole space at once, at equal evaluations (tables)", _TINY),
    "gram": ("whether a meta-graph learns, on landscapes; with --table on NAS-Bench-101", _TINY),
    "pruning": ("what is left of wired networks by a learned meta-graph and otherwise, beside unpruned ones", _TINY),
    "nasi_draws": ("how many draws a search at initialisation needs", ["--seeds", "2", "--networks", "300"]),
    "encoders": ("learned encoders of graphs beside what they learn from (tables)", ["--draws", "2", "--labels", "50"]),
    "nas_bench_101_search": ("what methods find on all cells with few evaluations (tables)", ["--seeds", "1"]),
    "stages": ("seconds and memory of every stage of the default run (make run comes first)", []),
}
"""What each measures, and its quick way; those of other processes are run alone, so that none shares the machine."""


def main() -> int:
    """The number of benchmarks that failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="see that they work; the figures mean little")
    quick = parser.parse_args().quick
    failed = 0
    for name, (what, shortly) in BENCHMARKS.items():
        print(f"\n== {name}: {what}\n", flush=True)
        options = shortly if quick else []
        failed += subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *options], check=False).returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main())
