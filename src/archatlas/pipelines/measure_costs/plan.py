"""What measure_costs will do, and for how long."""

from __future__ import annotations

from archatlas.pipelines.ahead import Ahead, Plan


def plan(ahead: Ahead) -> Plan:
    """Parts are counted, and timed where latency is measured."""
    latency = ahead.settings.costs.latency
    if ahead.settings.table is not None:
        return Plan(f"{ahead.settings.space.preset}; latency {latency.column or latency.source}", 5.0)
    from archatlas.spaces.protocol import Counted

    space = ahead.space
    counted = f"{space.size:,} architectures" if isinstance(space, Counted) else "architectures that nobody has counted"
    return Plan(f"{space.name}: {counted}; latency {latency.source}", 12.0)
