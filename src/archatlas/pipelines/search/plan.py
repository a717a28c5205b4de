"""What search will do."""

from __future__ import annotations

from archatlas.pipelines.ahead import Ahead, Plan


def plan(ahead: Ahead) -> Plan:
    """Seconds, whatever is asked."""
    return Plan("candidates and Pareto fronts of every budget", 5.0)
