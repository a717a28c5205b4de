"""What fit_predictor will do, and for how long."""

from __future__ import annotations

from archatlas.pipelines.ahead import FIT_SECONDS, Ahead, Plan


def plan(ahead: Ahead) -> Plan:
    """Every family is fitted a few times."""
    seconds = FIT_SECONDS * ahead.settings.sample.architectures / 100
    return Plan("every predictor, scored on what it has not seen", seconds)
