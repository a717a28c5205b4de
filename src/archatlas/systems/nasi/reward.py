"""From draws to the logits of an architecture: steep is good, too steep is not (NASI, equations 13, 14 and 18).

Draws are all made from the same logits, so they serve every reward: trying another costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from archatlas.errors import ArchatlasError

if TYPE_CHECKING:
    from archatlas.systems.nasi.steepness import Draw

Threshold = Literal["fixed", "adaptive", "quantile"]


@dataclass(frozen=True)
class Reward:
    """R = T - mu max(0, T - nu), of T or, with ``logarithm``, of log T, so that no draw outweighs all others [ours].

    Attributes:
        threshold: what nu is. fixed: ``nu`` (NASI-FIX); adaptive: the mean of ``nu`` and of T of the draws before
            (NASI-ADA); quantile: that quantile of T over all draws, 0 to 1, whatever the scale of T [ours]
        mu: weight of what is too steep; 0: T alone
        nu: see ``threshold``
    """

    threshold: Threshold
    mu: float
    nu: float
    logarithm: bool = False

    def __post_init__(self) -> None:
        most = 1.0 if self.threshold == "quantile" else np.inf
        if not (0 <= self.mu < np.inf and 0 <= self.nu <= most):
            raise ArchatlasError(
                f"`mu` and `nu` of NASI's reward must be at least 0, and a quantile at most 1, but got {self}"
            )


FIX = Reward("fixed", mu=2.0, nu=100.0)
ADA = Reward("adaptive", mu=2.0, nu=500.0)
"""Those of the paper on the DARTS space (section 5.1); on another scale of T they mean something else."""


CONFIGURED = "as configured"
"""What a method's own reward is called beside these."""


def sweep_of_rewards() -> dict[str, Reward]:
    """Rewards by what they are called, to be tried on the same draws: those of the paper, and what is ours."""
    quantiles = {
        f"log T, mu {mu:g}, nu at {level:.0%}": Reward("quantile", mu, level, True)
        for mu in (0.0, 1.0, 2.0, 4.0)
        for level in (0.25, 0.5, 0.75, 0.9)
        if mu or level == 0.5
    }
    plain = {
        f"T, mu {mu:g}, nu at {level:.0%}": Reward("quantile", mu, level) for mu in (1.0, 2.0) for level in (0.5, 0.9)
    }
    published = {"NASI-FIX, as published": FIX, "NASI-ADA, as published": ADA}
    return {**published, "T alone": Reward("fixed", 0, 0), **plain, **quantiles}


def thresholds(traces: NDArray[np.float64], reward: Reward) -> NDArray[np.float64]:
    """Nu of each draw, ``[draws]``; for the adaptive one our reading is that a draw's own T comes after it."""
    if reward.threshold == "fixed":
        return np.full(len(traces), reward.nu)
    if reward.threshold == "quantile":
        return np.full(len(traces), np.quantile(traces, reward.nu))
    before = np.concatenate([[reward.nu], traces[:-1]])
    found: NDArray[np.float64] = np.cumsum(before) / np.arange(1, len(before) + 1)
    return found


def logits_of(draws: Sequence[Draw], reward: Reward) -> NDArray[np.float64]:
    """The architecture's logits after one step over all draws, position after position, ``[sum of choices]``.

    ``alpha = (1 / draws) sum_t G_t / max_{s <= t} |G_s|`` with ``G_t`` the gradient of R at draw t (equation 18 and
    algorithm 1, alpha_0 = 0, xi = 1). Zeros where no draw had a gradient.
    """
    traces = np.array([one.trace for one in draws])
    gradients = np.stack([one.gradient for one in draws])
    if reward.logarithm:
        gradients = gradients / np.maximum(traces, np.finfo(np.float64).tiny)[:, None]
    steep = traces > thresholds(traces, reward)
    gradients = gradients * np.where(steep, 1 - reward.mu, 1.0)[:, None]
    norms = np.maximum.accumulate(np.linalg.norm(gradients, axis=1))
    scaled = np.divide(gradients, norms[:, None], out=np.zeros_like(gradients), where=norms[:, None] > 0)
    found: NDArray[np.float64] = scaled.mean(axis=0)
    return found
