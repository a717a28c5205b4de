"""A section of the report: how many networks were scored."""

from __future__ import annotations

from archatlas.reporting.blocks import Section, Text
from archatlas.reporting.run import Run


def scored_section(run: Run) -> Section | None:
    if run.evaluations.empty:
        return None
    count = run.evaluations["network"].nunique()
    return Section("scored", "How much was scored", "", [Text(f"{count} networks were scored by a newcomer.")])
