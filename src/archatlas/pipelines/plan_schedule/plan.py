"""What plan_schedule will do, and for how long."""

from __future__ import annotations

from archatlas.pipelines.ahead import Ahead, Plan


def plan(ahead: Ahead) -> Plan:
    """Without a time budget there is nothing to plan; with one, all of the run is planned by this stage."""
    return Plan("nothing: no time is given" if ahead.settings.table is not None else "nothing: as configured", 1.0)
