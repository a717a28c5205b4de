"""Check what a run on a small folder of photographs left: prints each point and ends non-zero if one does not hold."""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main(folder: Path) -> int:
    """Number of broken points."""
    metrics = json.loads((folder / "metrics.json").read_text())
    schedule = json.loads((folder / "schedule.json").read_text())
    points = {f"winner of {one['budget']} found": one["status"] == "found" for one in metrics["winners"]}
    for winner in metrics["winners"]:
        low, high = winner["exported_accuracy_ci"]
        points[f"{winner['budget']}: exported file better than chance, {winner['exported_accuracy']:.2f}"] = low > 0.3
        points[f"{winner['budget']}: interval holds it"] = low <= winner["exported_accuracy"] <= high
        points[f"{winner['budget']}: files"] = all(
            (folder / "networks" / winner["budget"] / name).is_file() for name in ("network.onnx", "predict.py")
        )
    said = {signal["name"] for signal in metrics["signals"]}
    points[f"thirty images are said to be few ({', '.join(sorted(said))})"] = "small_test_split" in said
    taken, given = metrics["seconds_total"], schedule["time_budget_s"]
    points[f"{taken:.0f} s of {given:.0f} s taken"] = taken <= 1.3 * given
    points["a report"] = "<html" in (folder / "report.html").read_text()
    for what, holds in points.items():
        print(f"{'ok  ' if holds else 'FAIL'} {what}")
    return sum(not holds for holds in points.values())


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
