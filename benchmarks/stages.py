"""Seconds and peak memory of each stage of a finished run: ``python -m benchmarks.stages [EXPERIMENT or FILE]``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from archatlas.reporting import numbers
from archatlas.reporting.manifest import stages_table

_PROJECT = Path(__file__).resolve().parent.parent


def find_manifest(what: str) -> dict[str, Any]:
    """The manifest in the file ``what``, or of the newest finished run of the whole experiment ``what``."""
    if Path(what).is_file():
        return dict(json.loads(Path(what).read_text()))
    files = sorted((_PROJECT / "data").glob(f"*/{what}/manifest.json/*/manifest.json"), reverse=True)
    for manifest in (json.loads(file.read_text()) for file in files):
        if manifest["status"] == "finished" and "__default__" in manifest["pipelines"]:
            return dict(manifest)
    sys.exit(f"no run of the whole of {what} has finished; run `make run` first, or name a manifest's file")


def markdown(stages: pd.DataFrame) -> str:
    """The table of stages as Markdown, with a last row for the whole run."""
    rows = [(row.stage, f"{row.seconds:.1f}", numbers.memory(row.peak_memory_mib)) for row in stages.itertuples()]
    rows.append(("all stages", f"{stages['seconds'].sum():.1f}", numbers.memory(stages["peak_memory_mib"].max())))
    lines = ["| stage | seconds | peak memory |", "|---|--:|--:|"]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows]).replace("\N{NO-BREAK SPACE}", " ")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", nargs="?", default="digits", help="an experiment's name, or the file of a manifest")
    stages = stages_table(find_manifest(parser.parse_args().run))
    if stages.empty:
        sys.exit("no node of that run is done yet")
    print(markdown(stages))


if __name__ == "__main__":
    main()
