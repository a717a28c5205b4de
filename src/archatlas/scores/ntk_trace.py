"""NASI: the trace norm of the neural tangent kernel, estimated from one batch."""

from __future__ import annotations

import math

from archatlas.scores.probe import Probe


def ntk_trace(probe: Probe) -> float:
    """``T = || gradient of the batch's mean loss by all parameters ||^2``, the plain sum over all of them.

    Shu et al., ICLR 2022 (arXiv 2109.00817), equation 12. Some ports divide by the number of tensors
    (``gradient_tensors``). NASI also limits T from above: networks with the largest are hard to train.
    """
    return sum(float(gradient.double().square().sum()) for gradient in probe.gradients.values())


def log_ntk_trace(probe: Probe) -> float:
    """``log T`` (natural); minus infinity where no gradient is left."""
    trace = ntk_trace(probe)
    return math.log(trace) if trace > 0 else trace - math.inf


def gradient_tensors(probe: Probe) -> float:
    """How many tensors of parameters T adds up: no score of its own, but what T and other figures of it differ by."""
    return float(len(probe.gradients))
