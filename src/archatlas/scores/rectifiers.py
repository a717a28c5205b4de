"""Depth, counted: a control that scores without training have to beat."""

from __future__ import annotations

from archatlas.scores.probe import Probe


def rectifiers(probe: Probe) -> float:
    """How often a forward pass rectifies: once for each convolution of a NAS-Bench-201 cell, twice for an MBConv block.

    The skips and projections of a chain do not count, so that its networks are in the order of their blocks.
    """
    return float(probe.rectifiers)
