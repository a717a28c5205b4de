"""Jacobian covariance: how differently the network reacts to changes of different images."""

from __future__ import annotations

import math

import torch

from archatlas.scores.probe import Probe

_K = 1e-5


def jacov(probe: Probe) -> float:
    """``-sum_i (log(v_i + k) + 1 / (v_i + k))``, k = 1e-5, of the eigenvalues v of the Jacobian's correlation matrix.

    Rows of the Jacobian ``[b, c h w]`` are derivatives of the sum of the logits by each image; the matrix of their
    correlations is ``[b, b]`` (Mellor et al., arXiv 2006.04647 **version 1**, section 3; version 3 has `nwot`
    instead). Near 0 eigenvalues stand for images that are told apart by nothing. NaN if the network reacts to every
    pixel of an image alike.
    """
    correlations = torch.corrcoef(probe.jacobian.double())
    if not correlations.isfinite().all():
        return math.nan
    values = torch.linalg.eigvalsh(correlations)
    return float(-(torch.log(values + _K) + 1 / (values + _K)).sum())
