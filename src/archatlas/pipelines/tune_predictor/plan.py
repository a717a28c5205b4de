"""What tune_predictor will do, and for how long."""

from __future__ import annotations

from archatlas.pipelines.ahead import Ahead, Plan

_TRIAL_SECONDS = 0.4
"""One trial of the study on 100 networks."""


def plan(ahead: Ahead) -> Plan:
    """Trials of the study."""
    trials = ahead.settings.tuning.trials
    return Plan(f"{trials} trials", _TRIAL_SECONDS * trials * ahead.settings.sample.architectures / 100)
