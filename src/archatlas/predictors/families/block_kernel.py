"""A kernel on blocks of features, with a weight for each block.

Rows are compared by one of

    ``matern``: ``k = s m(r)``, ``r^2 = sum_b w_b |x_b - x'_b|^2``, with m the Matern function of smoothness 3/2
    ``dot``: ``k = sum_b w_b <x_b, x'_b>``

Of Weisfeiler-Lehman blocks the second is the kernel of NAS-BOWL (Ru et al., ICLR 2021, arXiv 2006.07556) with a weight
for each round [ours]. There are few weights, and the search for the most probable ones compares the rows only once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from archatlas.encodings.blocks import Blocks
from archatlas.predictors.families.column_kernel import matern
from archatlas.predictors.families.likelihood import minus_log_likelihood
from archatlas.predictors.protocol import State

Floats = NDArray[np.float64]
KernelName = Literal["matern", "dot"]

_JITTER = 1e-8
_STEPS = 50
_WEIGHT_SPREAD, _SIGNAL_SPREAD = 2.0, 1.0
_NOISE_CENTRE, _NOISE_SPREAD = -2.3, 1.0
_BOUNDS = {"weights": (-12.0, 6.0), "signal": (-5.0, 4.0), "noise": (-9.0, 1.0)}


@dataclass(frozen=True)
class BlockKernel:
    """A fitted kernel.

    Attributes:
        name: how rows are compared
        weights: float64 ``[blocks]``; of ``dot`` they hold the signal, too
        signal, noise: variances of the function and of one observation of mean weight
    """

    name: KernelName
    weights: Floats
    signal: float
    noise: float

    def between(self, first: Blocks, second: Blocks) -> Floats:
        """Covariances ``[n, m]``."""
        mixed = np.einsum("b,bnm->nm", self.weights, _compared(self.name, first, second))
        return self.signal * matern(mixed)[0] if self.name == "matern" else mixed

    def variances(self, rows: Blocks) -> Floats:
        """Of each row before anything was observed, ``[n]``."""
        if self.name == "matern":
            return np.full(len(rows), self.signal)
        return np.asarray(self.weights @ np.stack(rows.squares), dtype=np.float64)

    def state(self) -> State:
        """The kernel as arrays."""
        return {"kernel.weights": self.weights, "kernel.signal_and_noise": np.array([self.signal, self.noise])}

    @classmethod
    def from_state(cls, state: State, name: KernelName) -> Self:
        """Inverse of ``state``."""
        signal, noise = (float(value) for value in state["kernel.signal_and_noise"])
        return cls(name, np.asarray(state["kernel.weights"], np.float64), signal, noise)


@dataclass(frozen=True)
class BlockPosterior:
    """What the search maximises: marginal likelihood times prior, of the logarithms of weights, signal and noise.

    Shapes:
        apart: ``[blocks, n, n]``, products or squared distances of rows, each block's of mean 1
        target: ``[n]``, of mean zero
        noise_factors: ``[n]``, each row's noise variance over the mean one
    """

    name: KernelName
    apart: Floats
    target: Floats
    noise_factors: Floats

    @property
    def centre(self) -> float:
        """Mean of the prior of each log weight: together the blocks weigh 1."""
        return -float(np.log(max(len(self.apart), 1)))

    def __call__(self, point: Floats) -> tuple[float, Floats]:
        """Minus the log posterior, without constants, and its gradient."""
        weights, signal, noise = np.exp(point[:-2]), float(np.exp(point[-2])), float(np.exp(point[-1]))
        mixed = np.einsum("b,bnm->nm", weights, self.apart)
        values, slope = matern(mixed) if self.name == "matern" else (mixed, np.ones_like(mixed))
        covariance = signal * values
        covariance[np.diag_indices_from(covariance)] += noise * self.noise_factors + _JITTER
        likelihood = minus_log_likelihood(covariance, self.target)
        if likelihood is None:
            return 1e10, np.zeros_like(point)
        fit, half = likelihood
        off = np.concatenate([point[:-2] - self.centre, point[-2:-1], point[-1:] - _NOISE_CENTRE])
        spread = np.array([_WEIGHT_SPREAD] * len(weights) + [_SIGNAL_SPREAD, _NOISE_SPREAD])
        value = fit + ((off / spread) ** 2).sum() / 2
        by_weight = weights * np.einsum("nm,bnm->b", signal * half * slope, self.apart)
        by_signal, by_noise = signal * (half * values).sum(), noise * (np.diag(half) @ self.noise_factors)
        return float(value), np.concatenate([by_weight, [by_signal, by_noise]]) + off / spread**2


def search_block_kernel(name: KernelName, rows: Blocks, target: Floats, noise_factors: Floats) -> BlockKernel:
    """The most probable kernel for ``target [n]`` at ``rows``; blocks in which all rows are alike weigh nothing.

    Args:
        name: how rows are compared
        rows: of ``n`` observations
        target: ``[n]``
        noise_factors: ``[n]``, each row's noise variance over the mean one
    """
    from scipy.optimize import minimize

    apart = _compared(name, rows, rows)
    scales = apart.mean(axis=(1, 2)) if name == "matern" else np.einsum("bnn->b", apart) / len(target)
    told = np.flatnonzero(scales > 1e-12)
    posterior = BlockPosterior(name, apart[told] / scales[told, None, None], target - target.mean(), noise_factors)
    start = np.concatenate([np.full(len(told), posterior.centre), [0.0, _NOISE_CENTRE]])
    bounds = [_BOUNDS["weights"]] * len(told) + [_BOUNDS["signal"], _BOUNDS["noise"]]
    found = minimize(posterior, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": _STEPS})
    signal, noise = (float(value) for value in np.exp(found.x[-2:]))
    weights = np.zeros(len(scales))
    weights[told] = np.exp(found.x[:-2]) / scales[told] * (1.0 if name == "matern" else signal)
    return BlockKernel(name, weights, signal, noise)


def _compared(name: KernelName, first: Blocks, second: Blocks) -> Floats:
    return first.distances(second) if name == "matern" else first.products(second)
