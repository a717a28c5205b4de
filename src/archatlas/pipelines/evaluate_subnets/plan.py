"""What evaluate_subnets will do, and for how long."""

from __future__ import annotations

from archatlas.pipelines.ahead import SHARED_PREFIXES, Ahead, Plan

_SHARED_BY_ALL = 0.2
"""As ``SHARED_PREFIXES``, of a whole space of three choices at each of eight positions."""


def plan(ahead: Ahead) -> Plan:
    """Images through subnets; a whole space that is too large is refused, before super-networks are trained for it."""
    sample, table = ahead.settings.sample, ahead.settings.table
    if table is not None:
        return Plan(f"{sample.architectures:,} networks looked up: {table.label} accuracy", 1.0)
    count, shared = sample.architectures * sample.twins_per_network, SHARED_PREFIXES
    whole = ahead.settings.evaluation.whole_space
    if whole != "none":
        from archatlas.supernet.whole_space import whole_space_size

        count, shared = whole_space_size(ahead.space, twins=whole == "architectures"), _SHARED_BY_ALL
    what = f"{count:,} architectures on {ahead.settings.supernet.seeds} super-networks"
    if ahead.pace is None:
        return Plan(what, None)
    return Plan(what, ahead.full_seeds * count * ahead.judged * ahead.pace.image * shared)
