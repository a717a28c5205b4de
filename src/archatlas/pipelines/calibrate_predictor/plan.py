"""What calibrate_predictor will do, and for how long."""

from __future__ import annotations

from archatlas.pipelines.ahead import Ahead, Plan

AUGMENTED_BY = "verification"
"""The section of the parameters that says how training images are changed."""


def plan(ahead: Ahead) -> Plan:
    """A few networks trained alone, as finalists are."""
    calibration = ahead.settings.calibration
    if calibration is None:
        return Plan("nothing: the predictor is used as tuned", 1.0)
    if ahead.looks_up:
        return Plan(f"{calibration.networks} networks looked up and learned from", 30.0)
    trainings = calibration.networks * calibration.seeds
    what = f"{trainings} trainings"
    if ahead.pace is None:
        return Plan(what, None, ahead.workers)
    schedule = ahead.settings.verification.training
    steps = trainings * schedule.epochs * ahead.train / schedule.batch_size
    return Plan(what, 30 + steps * ahead.pace.step / ahead.workers, ahead.workers)
