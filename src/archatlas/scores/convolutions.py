"""Depth, counted: the control that scores without training have to beat."""

from __future__ import annotations

from torch import nn

from archatlas.scores.probe import Probe


def convolutions(probe: Probe) -> float:
    """How many convolutions the network has: in a chain, about as many times as many as it has blocks."""
    return float(sum(isinstance(module, nn.Conv2d) for module in probe.network.modules()))
