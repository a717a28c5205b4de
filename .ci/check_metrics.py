"""Check that the figures of a default run lie within sane bounds; prints each and ends non-zero if one does not."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def value(metrics: dict[str, Any], key: str) -> Any:
    """The value under a dotted key."""
    for part in key.split("."):
        metrics = metrics[part]
    return metrics


BOUNDS = {
    "space.size": (10_000, 300_000),
    "space.networks": (10_000, 300_000),
    "supernet.seconds": (0, 240),
    "evaluations.count": (200, 100_000),
    "evaluations.architectures_per_second": (2, 1e6),
    "predictor.kendall_tau": (0.1, 1),
    "predictor.baselines.ridge": (0.1, 1),
    "audit.count": (40, 1000),
    "audit.tau_supernet": (0.0, 1),
    "audit.tau_predictor": (0.1, 1),
    "audit.tau_ceiling": (0.3, 1),
    "atlas.rows": (10_000, 300_000),
    "export.max_abs_difference": (0, 1e-4),
    "seconds_total": (10, 1500),
}


def main(path: str) -> int:
    """Number of broken bounds."""
    metrics = json.loads(Path(path).read_text())
    broken = 0
    for key, (low, high) in BOUNDS.items():
        found = value(metrics, key)
        good = low <= found <= high
        broken += not good
        print(f"{'ok  ' if good else 'FAIL'} {key} = {found} in [{low}, {high}]")
    for winner in metrics["winners"]:
        good = winner["architecture"] is None or winner["test_accuracy_mean"] > 0.5
        broken += not good
        print(
            f"{'ok  ' if good else 'FAIL'} winner of {winner['budget']}: test accuracy {winner['test_accuracy_mean']}"
        )
    return broken


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
