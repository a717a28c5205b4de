"""Gradient norm: how steep the loss is at initialisation."""

from __future__ import annotations

from archatlas.scores.probe import Probe


def grad_norm(probe: Probe) -> float:
    """The sum over convolutions and linear layers of the Euclidean norm of the loss's gradient by their weights.

    Abdelfattah et al., ICLR 2021 (arXiv 2101.08134), section 3.2, as in the authors' code: the loss is the batch's
    mean cross-entropy, and norms and biases do not count.
    """
    gradients = probe.gradients
    names = (f"{layer}.weight" if layer else "weight" for layer in probe.weight_layers)
    return float(sum(float(gradients[name].norm()) for name in names if name in gradients))
