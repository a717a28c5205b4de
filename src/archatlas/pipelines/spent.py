"""What a run has spent of its time."""

from __future__ import annotations

from pathlib import Path

from archatlas.kedro_ext.records import RecordStore
from archatlas.schedule.finishing import BEFORE_SCHEDULE

PLANNED_BY = "plan_schedule.plan_search"
"""The node after which all that is run counts as time spent."""


def spent(run_records: Path) -> tuple[float, float]:
    """Seconds of the run so far, and of them since its schedule was made."""
    records = RecordStore(run_records)
    since = sum(record.usage.seconds for record in records.since(PLANNED_BY))
    return records.seconds_with(PLANNED_BY, BEFORE_SCHEDULE) + since, since
