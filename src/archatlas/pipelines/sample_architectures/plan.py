"""What sample_architectures will do, and for how long."""

from __future__ import annotations

from archatlas.pipelines.ahead import Ahead, Plan


def plan(ahead: Ahead) -> Plan:
    """A draw."""
    if ahead.settings.table is not None:
        return Plan("networks drawn uniformly from those that the table knows", 1.0)
    return Plan("networks drawn uniformly", 5.0)
