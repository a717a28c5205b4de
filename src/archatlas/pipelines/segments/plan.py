"""What segments will do, and for how long."""

from __future__ import annotations

from archatlas.pipelines.ahead import ATLAS_PER_SECOND, FIT_SECONDS, Ahead, Plan
from archatlas.search.segments.parameters import SEGMENTS


def plan(ahead: Ahead) -> Plan:
    """One segment of the chain after the other: evaluated, fitted, predicted."""
    if ahead.settings.table is not None:
        return Plan("one segment of the chain after the other", 5.0)
    from archatlas.search.segments.space import segment_networks

    segments, nets = ahead.settings.segments, ahead.settings.supernet.seeds
    samples = SEGMENTS * segments.samples_per_segment
    networks = segment_networks(ahead.space, segments, SEGMENTS)
    what = f"{SEGMENTS} x {segments.samples_per_segment:,} networks on {nets} super-networks; {networks:,} predicted"
    if ahead.pace is None:
        return Plan(what, None)
    spellings = samples * ahead.settings.sample.twins_per_network
    evaluating = ahead.full_seeds * spellings * ahead.judged * ahead.pace.image
    return Plan(what, evaluating + FIT_SECONDS * samples / 100 + networks / ATLAS_PER_SECOND)
