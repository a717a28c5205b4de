"""What parts cost within a network: latencies of parts measured alone, corrected by networks measured whole.

A runtime that fuses operators and keeps layouts from one to the next makes a part in company cheaper than alone, and
each kind of part by another share. So each part has a factor ``f_j``, the same wherever it stands, and

    minimise  mean_i (sum_j share_ij f_j - 1)^2 + strength sum_j weight_j (f_j - s)^2,   f_j >= 0

over networks i, where ``share_ij`` is what part j costs alone, over the measured latency of network i, ``weight_j`` its
mean share, and ``s`` the common factor (the median of measured over summed latency). Errors are relative, since noise
grows with latency. How strongly factors are held to the common one is chosen by networks left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from archatlas.costs.counting import Part
from archatlas.spaces.protocol import Choices

_STRENGTHS = (math.inf, 0.3, 0.03, 0.003)
"""From one factor for all parts (inf) to almost free ones; the first wins a tie."""
_FOLDS = 4
_FEWEST = 8
"""With fewer networks all parts have the common factor."""

Floats = NDArray[np.float64]


def shares_of(alone: Floats, index: Sequence[int], parts: Sequence[Part], rows: Choices) -> Floats:
    """The latency that each distinct part adds to each network if it costs what it does alone, ms ``[rows, distinct]``.

    Args:
        alone: lower quartile, median and upper quartile of each part, ms ``[parts, 3]``.
        index: of each part among the distinct ones.
        parts: of the space.
        rows: networks as choices.
    """
    added = np.zeros((len(rows), max(index) + 1))
    for part, which, (_, median, _) in zip(parts, index, alone, strict=True):
        held = np.ones(len(rows)) if part.part != "block" else rows[:, part.position] == part.choice
        added[:, which] += held * median
    return added


def fitted_factors(added: Floats, measured: Floats) -> Floats:
    """The factor of each distinct part ``[distinct]``; 1 without networks.

    Args:
        added: see ``shares_of``.
        measured: latency of each network, ms.
    """
    networks, distinct = added.shape
    if not networks:
        return np.ones(distinct)
    shares = added / measured[:, None]
    if networks < _FEWEST:
        return _factors(shares, math.inf)
    fold = np.arange(networks) % _FOLDS
    errors = []
    for strength in _STRENGTHS:
        left = np.empty(networks)
        for out in range(_FOLDS):
            left[fold == out] = shares[fold == out] @ _factors(shares[fold != out], strength)
        errors.append(float(np.abs(left - 1).mean()))
    return _factors(shares, _STRENGTHS[int(np.argmin(errors))])


def _factors(shares: Floats, strength: float) -> Floats:
    from scipy.optimize import lsq_linear

    common = float(np.median(1 / shares.sum(axis=1)))
    weights = shares.mean(axis=0)
    found = np.full(shares.shape[1], common)
    known = weights > 0
    if math.isfinite(strength):
        held = np.sqrt(strength * weights[known])
        rows = np.vstack([shares[:, known] / math.sqrt(len(shares)), np.diag(held)])
        wanted = np.append(np.full(len(shares), len(shares) ** -0.5), held * common)
        found[known] = lsq_linear(rows, wanted, bounds=(0, np.inf)).x
    return found
