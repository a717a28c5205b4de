"""What encode_graphs will do."""

from __future__ import annotations

from archatlas.pipelines.ahead import Ahead, Plan


def plan(ahead: Ahead) -> Plan:
    """Seconds, whatever is asked."""
    return Plan("graphs of the sample", 5.0)
