"""What report will do."""

from __future__ import annotations

from archatlas.pipelines.ahead import Ahead, Plan


def plan(ahead: Ahead) -> Plan:
    """Seconds, whatever is asked."""
    return Plan("one HTML page and metrics.json", 5.0)
