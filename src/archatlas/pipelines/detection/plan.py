"""What detection will do, and for how long."""

from __future__ import annotations

from archatlas.pipelines.ahead import Ahead, Plan

_SHARE = 0.8
"""Of the time that as many pixels take in a training alone: larger maps take less, heads and losses more."""


def plan(ahead: Ahead) -> Plan:
    """Two backbones trained to classify, detectors on them, side by side, and judged."""
    detection, alone = ahead.settings.detection, ahead.settings.verification.training
    count, scenes, training = 2 * detection.seeds, detection.scenes, detection.training
    what = (
        f"{count} trainings of 2 backbones, as many detectors: {scenes.train:,} scenes, {training.epochs} epochs each"
    )
    if ahead.pace is None:
        return Plan(what, None, ahead.workers)
    # A step of the pace is one of these images at their own size.
    pixels = (scenes.side / ahead.side) ** 2
    images = count * training.epochs * training.of_an_epoch(scenes.train) * pixels
    steps = _SHARE * images / ahead.settings.supernet.training.batch_size
    steps += count * alone.epochs * alone.steps_of_an_epoch(ahead.train)
    return Plan(what, 10 + steps * ahead.pace.step / min(ahead.workers, count), ahead.workers)
