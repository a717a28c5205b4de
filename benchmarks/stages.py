"""Seconds and peak memory of each stage of a finished run: ``python -m benchmarks.stages [EXPERIMENT or FILE]``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from archatlas.pipelines.report.nodes import with_stages
from archatlas.reporting import numbers
from archatlas.reporting.tables import stages_table

_PROJECT = Path(__file__).resolve().parent.parent


def find_times(what: str) -> Path:
    """The file of stage times: ``what`` itself, or that of the experiment ``what`` under ``data/``."""
    if Path(what).is_file():
        return Path(what)
    found = sorted((_PROJECT / "data").glob(f"*/{what}/stage_times.json"))
    if not found:
        sys.exit(f"there is no data/<layer>/{what}/stage_times.json; run `make run` first, or name a JSON file")
    return found[0]


def markdown(stages: pd.DataFrame) -> str:
    """The table of stages as Markdown, with a last row for the whole run."""
    rows = [(row.stage, f"{row.seconds:.1f}", numbers.memory(row.peak_memory_mib)) for row in stages.itertuples()]
    rows.append(("all stages", f"{stages['seconds'].sum():.1f}", numbers.memory(stages["peak_memory_mib"].max())))
    lines = ["| stage | seconds | peak memory |", "|---|--:|--:|"]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows]).replace("\N{NO-BREAK SPACE}", " ")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", nargs="?", default="digits", help="an experiment's name, or a stage_times JSON file")
    times: dict[str, Any] = json.loads(find_times(parser.parse_args().run).read_text())
    stages = stages_table(with_stages(times))
    if stages.empty:
        sys.exit("no stage has been timed yet")
    print(markdown(stages))


if __name__ == "__main__":
    main()
