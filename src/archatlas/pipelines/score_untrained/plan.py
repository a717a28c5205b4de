"""What scores without training will do, and for how long."""

from __future__ import annotations

from archatlas.pipelines.ahead import Ahead, Plan

_STEPS = 1.7
"""What all scores of a network cost, in training steps of their batch: a second backward pass, synaptic flow."""


def plan(ahead: Ahead) -> Plan:
    """The networks of the sample, each on one batch, as many side by side as there are workers."""
    settings, scores = ahead.settings, ahead.settings.scores
    sample = settings.sample.architectures
    what = f"{len(scores.names)} scores of {sample:,} networks"
    if ahead.pace is None:
        return Plan(what, None)
    pixels = ((scores.image_size or ahead.side) / ahead.side) ** 2
    steps = sample * scores.batch / settings.supernet.training.batch_size * pixels / ahead.workers
    return Plan(what, 3 + _STEPS * steps * ahead.pace.step)
