"""A stationary kernel with a length-scale for every column, and the search for them.

    ``k(x, x') = s m(r)``,  ``r^2 = sum_j w_j (x_j - x'_j)^2``,  ``w_j = exp(u_g(j) + v_j)``

with m the Matern function of smoothness 3/2. Columns come in groups: ``u_g ~ N(-log(groups), 2^2)`` is what a group
weighs and ``v_j ~ N(0, spread^2)`` how far a column departs from its group. The search maximises the posterior of these
(marginal likelihood times prior). With some hundred columns and some hundred rows this is what keeps it from fitting
noise: scikit-learn's kernels know no prior, and keep an ``[n, n, columns]`` array for the gradient.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from archatlas.predictors.families.likelihood import minus_log_likelihood

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_ROOT_3 = 3**0.5
_GROUP_SPREAD = 2.0
_NOISE_CENTRE, _NOISE_SPREAD = -2.3, 1.0
_START_SPREAD = 2.0
_LOG_BOUNDS = {"group": (-14.0, 6.0), "column": (-8.0, 8.0), "signal": (-5.0, 4.0), "noise": (-9.0, 0.0)}
_NEGLIGIBLE = 1e-4
"""Columns that bring less than this share of the mean squared distance are left out of a fitted kernel."""
_JITTER = 1e-8


def matern(squared: Floats) -> tuple[Floats, Floats]:
    """Matern 3/2 of squared distances, and its derivative by them (Rasmussen and Williams 2006, equation 4.17)."""
    distance = np.sqrt(np.maximum(squared, 1e-14))
    decay = np.exp(-_ROOT_3 * distance)
    return (1 + _ROOT_3 * distance) * decay, -1.5 * decay


def squared_distances(first: Floats, second: Floats) -> Floats:
    """``[n, m]`` from ``[n, d]`` and ``[m, d]``."""
    norms = np.einsum("nd,nd->n", first, first)[:, None] + np.einsum("md,md->m", second, second)
    squared: Floats = norms - 2 * first @ second.T
    return np.maximum(squared, 0)


@dataclass(frozen=True)
class ColumnKernel:
    """A fitted kernel: columns of the joined groups are taken, multiplied, and compared.

    Shapes:
        columns: int64 ``[d]``, which columns of all groups side by side
        factors: float64 ``[d]``, ``sqrt(w)``
        signal, noise: float, variances of the function and of one observation of mean weight
    """

    columns: Integers
    factors: Floats
    signal: float
    noise: float

    def inside(self, features: Floats) -> Floats:
        """Where rows of features ``[n, all columns]`` lie, ``[n, d]``."""
        return features[:, self.columns] * self.factors

    def between(self, first: Floats, second: Floats) -> Floats:
        """Covariances ``[n, m]`` of rows that lie ``inside``."""
        return self.signal * matern(squared_distances(first, second))[0]


def column_scales(groups: Mapping[str, Floats]) -> tuple[Integers, Floats]:
    """Of all groups' columns side by side: the group's number and a scale; 0 for a column that is constant.

    Divided by its scale, a group has a mean squared distance of 1 between two rows.
    """
    numbers, scales = [np.zeros(0, dtype=np.int64)], [np.zeros(0)]
    for number, group in enumerate(groups.values()):
        variance = group.var(axis=0)
        varies = variance > 1e-12
        numbers.append(np.full(group.shape[1], number))
        scales.append(np.where(varies, np.sqrt(2 * variance[varies].sum()), 0.0))
    return np.concatenate(numbers), np.concatenate(scales)


@dataclass(frozen=True)
class Posterior:
    """What the search maximises, as a function of ``(u, v, log s, log noise)``.

    Shapes:
        features: ``[n, d]``, scaled
        groups: int64 ``[d]``, 0 to g - 1
        target: ``[n]``, of mean zero
        noise_factors: ``[n]``, each row's noise variance over the mean one
    """

    features: Floats
    groups: Integers
    target: Floats
    noise_factors: Floats
    spread: float

    @property
    def number_of_groups(self) -> int:
        return int(self.groups.max(initial=-1)) + 1

    @property
    def centre(self) -> float:
        """Mean of the prior of u."""
        return -float(np.log(max(self.number_of_groups, 1)))

    def split(self, point: Floats) -> tuple[Floats, Floats, float, float]:
        groups, columns = self.number_of_groups, len(self.groups)
        return point[:groups], point[groups : groups + columns], float(point[-2]), float(point[-1])

    def weights(self, point: Floats) -> Floats:
        """``w [d]``."""
        of_group, of_column, _, _ = self.split(point)
        return np.asarray(np.exp(of_group[self.groups] + of_column), dtype=np.float64)

    def __call__(self, point: Floats) -> tuple[float, Floats]:
        """Minus the log posterior, without constants, and its gradient."""
        of_group, of_column, log_signal, log_noise = self.split(point)
        weights, signal, noise = self.weights(point), float(np.exp(log_signal)), float(np.exp(log_noise))
        inside = self.features * np.sqrt(weights)
        correlation, slope = matern(squared_distances(inside, inside))
        covariance = signal * correlation
        covariance[np.diag_indices_from(covariance)] += noise * self.noise_factors + _JITTER
        likelihood = minus_log_likelihood(covariance, self.target)
        if likelihood is None:
            return 1e10, np.zeros_like(point)
        fit, half = likelihood
        by_distance = signal * half * slope
        crossed = np.einsum("nd,nd->d", self.features, by_distance @ self.features)
        by_column = 2 * weights * ((self.features**2).T @ by_distance.sum(axis=1) - crossed)
        by_group = np.bincount(self.groups, by_column, minlength=self.number_of_groups)
        off_group, off_noise = (of_group - self.centre) / _GROUP_SPREAD, (log_noise - _NOISE_CENTRE) / _NOISE_SPREAD
        off_column = of_column / self.spread
        prior = off_group @ off_group + off_column @ off_column + log_signal**2 + off_noise**2
        gradient = np.concatenate(
            [
                by_group + off_group / _GROUP_SPREAD,
                by_column + off_column / self.spread,
                [signal * (half * correlation).sum() + log_signal],
                [noise * (np.diag(half) @ self.noise_factors) + off_noise / _NOISE_SPREAD],
            ]
        )
        return float(fit + prior / 2), gradient

    def start(self, generator: np.random.Generator) -> Floats:
        """Where the search begins: the centre of the prior, but random column weights."""
        groups = np.full(self.number_of_groups, self.centre)
        columns = _START_SPREAD * generator.standard_normal(len(self.groups))
        return np.concatenate([groups, columns, [0.0, _NOISE_CENTRE]])

    def bounds(self) -> list[tuple[float, float]]:
        """Of the search, in the order of a point."""
        counts = {"group": self.number_of_groups, "column": len(self.groups), "signal": 1, "noise": 1}
        return [_LOG_BOUNDS[name] for name, count in counts.items() for _ in range(count)]


def search_kernel(
    features: Floats,
    groups: Integers,
    columns: Integers,
    target: Floats,
    noise_factors: Floats,
    *,
    spread: float,
    steps: int,
    generator: np.random.Generator,
) -> ColumnKernel:
    """The most probable kernel by ``steps`` of L-BFGS from a random start; few steps, as one does not need the peak.

    Args:
        features: ``[n, all columns]``, scaled by ``column_scales``
        groups: int64 ``[all columns]``, the group of each
        columns: int64 ``[d]``, those that this kernel may use
        target: ``[n]``
        noise_factors: ``[n]``, each row's noise variance over the mean one
        spread: how far columns depart from their group, standard deviation of the log weight
        steps: of the search
        generator: of the start
    """
    from scipy.optimize import minimize

    _, numbers = np.unique(groups[columns], return_inverse=True)
    posterior = Posterior(features[:, columns], numbers.reshape(-1), target - target.mean(), noise_factors, spread)
    found = minimize(
        posterior,
        posterior.start(generator),
        jac=True,
        method="L-BFGS-B",
        bounds=posterior.bounds(),
        options={"maxiter": steps},
    )
    weights = posterior.weights(found.x)
    brought = weights * posterior.features.var(axis=0)
    kept = brought > _NEGLIGIBLE * brought.sum()
    signal, noise = np.exp(found.x[-2:])
    return ColumnKernel(columns[kept], np.sqrt(weights[kept]), float(signal), float(noise))
