"""From scores to what a model learns, and back: one monotone map, written as knots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from archatlas.encodings.normal_quantiles import normal_quantiles
from archatlas.predictors.protocol import Evaluations, State

if TYPE_CHECKING:
    from archatlas.predictors.parameters import TargetTransformName

Floats = NDArray[np.float64]


_GUESSED_SPREAD = 0.02
"""The spread of scores of which one alone is known, as a share of it: about that of accuracies of a space."""


def spread_of(score: Floats) -> float:
    """The standard deviation of scores, above 0; where they do not differ a guess by their level, 1 if that is 0."""
    return float(score.std()) if np.ptp(score) > 0 else _GUESSED_SPREAD * abs(float(score.mean())) or 1.0


@dataclass(frozen=True)
class TargetTransform:
    """Piecewise linear between knots ``scores [k]`` and ``values [k]``, both increasing; ``slope`` beyond them.

    ``slope`` is in score units per unit of value.
    """

    scores: Floats
    values: Floats
    slope: float

    @classmethod
    def fit(cls, score: Floats, name: TargetTransformName) -> TargetTransform:
        """``raw``: ``(score - mean) / std``. ``quantile``: the standard normal quantile of ``(rank - 1/2) / n``.

        Equal scores share their mean rank. Quantiles undo the long lower tail that accuracies have: with squared errors
        the tail would take the model's capacity, and ranks are what it is asked for.
        """
        spread = spread_of(score)
        if name == "raw":
            mean = float(score.mean())
            return cls(np.array([mean, mean + spread]), np.array([0.0, 1.0]), spread)
        distinct, first = np.unique(score, return_index=True)
        return cls(distinct, normal_quantiles(score)[first], spread)

    def forward(self, score: Floats) -> Floats:
        return self._map(score, self.scores, self.values, 1 / self.slope)

    def inverse(self, value: Floats) -> Floats:
        return self._map(value, self.values, self.scores, self.slope)

    def forward_std(self, score: Floats, std: Floats) -> Floats:
        """Standard deviations on the scale of the target: half the width of the image of ``score -+ std``."""
        return (self.forward(score + std) - self.forward(score - std)) / 2

    def inverse_std(self, value: Floats, std: Floats) -> Floats:
        """Standard deviations in score units: half the width of the image of ``value -+ std``."""
        return (self.inverse(value + std) - self.inverse(value - std)) / 2

    @staticmethod
    def _map(x: Floats, knots: Floats, images: Floats, slope: float) -> Floats:
        inside = np.interp(x, knots, images)
        beyond = np.minimum(x - knots[0], 0) + np.maximum(x - knots[-1], 0)
        return np.asarray(inside + slope * beyond, dtype=np.float64)

    def state(self) -> State:
        return {"target.scores": self.scores, "target.values": self.values, "target.slope": np.array([self.slope])}

    @classmethod
    def from_state(cls, state: State) -> TargetTransform:
        scores, values, slope = (
            np.asarray(state[f"target.{key}"], np.float64) for key in ("scores", "values", "slope")
        )
        return cls(scores, values, float(slope[0]))


def noise_weights(evaluations: Evaluations) -> Floats:
    """Weights ``[n]`` of mean 1, ``w_i ~ 1 / (noise_i^2 + (std(score) / 4)^2)``.

    The second term stands for the error that does not come from the sampling of images (weight sharing, and what the
    model cannot express): without it a row of small noise would be taken as nearly exact.
    """
    floor = (evaluations.score.std() / 4) ** 2
    variance = evaluations.noise**2 + floor
    if not variance.any():
        return np.ones(len(variance))
    weights = 1 / np.maximum(variance, 1e-12 * variance.max())
    return np.asarray(weights / weights.mean(), dtype=np.float64)


def leave_out(networks: NDArray[np.int64], members: int, seed: int) -> NDArray[np.int64]:
    """For each row the one ensemble member that is fitted without it, ``[n]``, in equal shares of the networks.

    ``networks`` numbers them from 0 (``ArchitectureBatch.networks``): twins are left out together, since a member that
    has learned one knows the other.
    """
    count = int(networks.max(initial=-1)) + 1
    of_network: NDArray[np.int64] = np.random.default_rng(seed).permutation(count) % members
    return of_network[networks]


_COVERED = {0.8: 1.2815515655446004, 0.95: 1.959963984540054}
"""Central normal intervals, and how many standard deviations they reach to both sides."""
_WIDTH_BOUNDS = (0.5, 3.0)


@dataclass(frozen=True)
class ErrorSpread:
    """From how far an ensemble's members lie apart to a standard deviation: ``width * sqrt(spread^2 + left)``.

    Attributes:
        left: variance that errors out of fold have beyond the spread of the members
        width: see :func:`interval_width`
    """

    left: float
    width: float

    @classmethod
    def fit(cls, values: Floats, predicted: Floats, spread: Floats) -> ErrorSpread:
        """``values`` against predictions out of fold, with the members' standard deviation ``spread``; all ``[n]``."""
        errors = np.abs(values - predicted)
        left = max(float(np.mean(errors**2) - np.mean(spread**2)), 0.0)
        return cls(left, interval_width(errors / np.maximum(np.sqrt(spread**2 + left), 1e-12)))

    def std(self, spread: Floats) -> Floats:
        """Standard deviations ``[n]``, on the scale of the values."""
        return np.asarray(self.width * np.sqrt(spread**2 + self.left), dtype=np.float64)

    def state(self) -> State:
        return {"error.left_and_width": np.array([self.left, self.width])}

    @classmethod
    def from_state(cls, state: State) -> ErrorSpread:
        left, width = (float(value) for value in state["error.left_and_width"])
        return cls(left, width)


def interval_width(errors: Floats) -> float:
    """The factor by which standard deviations become honest, of errors ``[n]`` divided by them, without sign.

    The mean over 80% and 95% intervals of how much wider they must be: errors have longer tails than the normal
    distribution, so that their standard deviation would make the narrower interval too wide. Quantiles are those of
    split conformal prediction, ``(1 + 1/n) q`` (Lei et al., JASA 2018, section 2.2).
    """
    levels = np.minimum(np.array(list(_COVERED)) * (1 + 1 / len(errors)), 1)
    needed = np.quantile(errors, levels) / np.array(list(_COVERED.values()))
    return float(np.clip(needed.mean(), *_WIDTH_BOUNDS))
