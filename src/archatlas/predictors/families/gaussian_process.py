"""Gaussian processes on groups of features, each with a length-scale per column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.encodings.distinct_rows import distinct_rows
from archatlas.encodings.feature_groups import FeatureColumns
from archatlas.predictors.enough import require_enough
from archatlas.predictors.families.column_kernel import ColumnKernel, column_scales, search_kernel
from archatlas.predictors.families.left_out_errors import left_out_errors
from archatlas.predictors.families.most_rows import learned_from_most
from archatlas.predictors.protocol import Evaluations, Prediction, State
from archatlas.predictors.targets import Floats, TargetTransform, interval_width, leave_out, noise_weights
from archatlas.predictors.threads import single_thread

if TYPE_CHECKING:
    from archatlas.predictors.parameters import GaussianProcessSettings

Integers = NDArray[np.int64]

_SEARCHED_ROWS = 300
_PREDICTED_AT_ONCE = 8192
_COMPARED_AT_ONCE = 512
_ALWAYS_THERE = 4
"""Groups of so few columns are seen whole by every member."""


@dataclass(frozen=True)
class _Member:
    """A kernel with its posterior.

    Shapes:
        rows: ``[n, d]``, the learned rows inside the kernel; dual: ``[n]``
        searched: int64 ``[k]``, which of them the kernel was found from; their nearness makes a prediction sure
        whitening: ``[k, k]``, inverse of the Cholesky factor of their covariance
    """

    kernel: ColumnKernel
    rows: Floats
    dual: Floats
    searched: Integers
    whitening: Floats

    def predict(self, features: Floats) -> tuple[Floats, Floats]:
        """Mean about the target's, and variance of a new observation, ``[m]``, of features ``[m, all columns]``."""
        near = self.kernel.between(self.kernel.inside(features), self.rows)
        explained = near[:, self.searched] @ self.whitening.T
        left: Floats = self.kernel.signal - np.einsum("mk,mk->m", explained, explained)
        return near @ self.dual, np.maximum(left, 0.0) + self.kernel.noise


@dataclass(frozen=True)
class _Fitted:
    """All that a prediction needs; ``scales [all columns]`` are zero for columns that are left out."""

    columns: FeatureColumns
    scales: Floats
    members: tuple[_Member, ...]
    centre: float
    width: float
    target: TargetTransform


class GaussianProcessPredictor:
    """The mean of a few Gaussian processes whose kernels were found from different rows, columns and starts.

    Features are those of ``encodings/feature_groups.py``. The kernel of each member (``column_kernel.py``) is found
    from at most 300 rows, its share left out, and a random part of the columns; its posterior then takes all rows (at
    most ``rows``). The standard deviation is that of a new evaluation: the members' variance and their spread, times
    one factor that makes the normal intervals of left-out rows cover what they promise. The errors of these rows are
    those of predictions by all other networks' rows (``left_out_errors``) under kernels that have not seen the network.
    Row noise is the noise of the kernel, larger where the weights of the rows are smaller.
    """

    def __init__(self, settings: GaussianProcessSettings, seed: int) -> None:
        self._settings = settings
        self._seed = seed
        self._fitted: _Fitted | None = None
        self._held_out: Prediction | None = None

    @single_thread()
    def fit(self, batch: ArchitectureBatch, evaluations: Evaluations) -> None:
        require_enough("gp", self._settings, batch, evaluations)
        rows, seed = self._settings.rows, self._seed
        self._held_out = learned_from_most(self._learn, self.predict, batch, evaluations, rows, seed)

    def _learn(self, batch: ArchitectureBatch, evaluations: Evaluations) -> Prediction:
        """Fit to all rows; what is predicted for each by the members whose kernels were found without it."""
        settings = self._settings
        target = TargetTransform.fit(evaluations.score, settings.transform)
        values = target.forward(evaluations.score)
        centre = float(values.mean())
        noise_factors = 1 / noise_weights(evaluations)
        columns = FeatureColumns.find(batch, costs=settings.costs, proxies=settings.proxies)
        groups = columns.groups(batch)
        numbers, scales = column_scales(groups)
        features = _scaled(groups, scales)
        left_out = leave_out(batch.networks, settings.ensemble, self._seed)
        members, errors = [], np.zeros((settings.ensemble, len(batch)))
        for number in range(settings.ensemble):
            generator = np.random.default_rng([self._seed, number])
            # Of one network alone nothing can be left out.
            others = np.flatnonzero((left_out != number) | (batch.networks.max() == 0))
            searched = generator.permutation(others)[:_SEARCHED_ROWS]
            kernel = search_kernel(
                features[searched],
                numbers,
                _drawn_columns(numbers, scales, settings.column_share, generator),
                values[searched],
                noise_factors[searched],
                spread=settings.spread,
                steps=settings.steps,
                generator=generator,
            )
            member, errors[number] = _posterior(
                kernel, features, values - centre, noise_factors, searched, batch.networks
            )
            members.append(member)
        variances = _predict_all(members, features)[1] + errors.var(axis=0)
        own = (left_out, np.arange(len(batch)))
        foretold, sigma = values - errors[own], np.sqrt(variances[own])
        width = interval_width(np.abs(errors[own]) / sigma)
        self._fitted = _Fitted(columns, scales, tuple(members), centre, width, target)
        return Prediction(target.inverse(foretold), target.inverse_std(foretold, width * sigma))

    @single_thread()
    def predict(self, batch: ArchitectureBatch) -> Prediction:
        if self._fitted is None:
            raise RuntimeError("predict was called before fit or load_state")
        fitted = self._fitted
        first, place = distinct_rows(batch.choices)
        value, variance = np.zeros(len(first)), np.zeros(len(first))
        for start in range(0, len(first), _PREDICTED_AT_ONCE):
            here = slice(start, start + _PREDICTED_AT_ONCE)
            features = _scaled(fitted.columns.groups(batch[first[here]]), fitted.scales)
            means, variances = _predict_all(fitted.members, features)
            value[here] = means.mean(axis=0) + fitted.centre
            variance[here] = variances.mean(axis=0) + means.var(axis=0)
        std = fitted.target.inverse_std(value, fitted.width * np.sqrt(variance))
        return Prediction(fitted.target.inverse(value)[place], std[place])

    def held_out(self) -> Prediction:
        """Of the rows of the last fit: by members whose kernels were found without them; by all, if none learned it."""
        if self._held_out is None:
            raise RuntimeError("held_out was called before fit")
        return self._held_out

    def state(self) -> State:
        if self._fitted is None:
            raise RuntimeError("state was called before fit or load_state")
        fitted = self._fitted
        state: State = fitted.columns.state() | fitted.target.state()
        state |= {"scales": fitted.scales, "centre_and_width": np.array([fitted.centre, fitted.width])}
        for number, member in enumerate(fitted.members):
            state |= {
                f"{number}.columns": member.kernel.columns,
                f"{number}.factors": member.kernel.factors,
                f"{number}.signal_and_noise": np.array([member.kernel.signal, member.kernel.noise]),
                f"{number}.rows": member.rows,
                f"{number}.dual": member.dual,
                f"{number}.searched": member.searched,
                f"{number}.whitening": member.whitening,
            }
        return state

    def load_state(self, state: State) -> None:
        centre, width = (float(value) for value in state["centre_and_width"])
        self._fitted = _Fitted(
            columns=FeatureColumns.from_state(state),
            scales=np.asarray(state["scales"], np.float64),
            members=tuple(_member_from_state(state, number) for number in range(self._settings.ensemble)),
            centre=centre,
            width=width,
            target=TargetTransform.from_state(state),
        )


def _predict_all(members: Sequence[_Member], features: Floats) -> tuple[Floats, Floats]:
    """Means and variances, ``[members, n]`` each; few rows at a time stay in the processor's cache."""
    means, variances = np.zeros((len(members), len(features))), np.zeros((len(members), len(features)))
    for start in range(0, len(features), _COMPARED_AT_ONCE):
        here = slice(start, start + _COMPARED_AT_ONCE)
        for number, member in enumerate(members):
            means[number, here], variances[number, here] = member.predict(features[here])
    return means, variances


def _scaled(groups: dict[str, Floats], scales: Floats) -> Floats:
    """All groups side by side, ``[n, all columns]``, divided by their scales; constant columns become zero."""
    factors = np.divide(1, scales, out=np.zeros_like(scales), where=scales > 0)
    return np.concatenate(list(groups.values()), axis=1) * factors


def _drawn_columns(numbers: Integers, scales: Floats, share: float, generator: np.random.Generator) -> Integers:
    """Columns that vary: each with chance ``share``, and all of a group of few."""
    varies = scales > 0
    few = np.bincount(numbers[varies], minlength=len(numbers) + 1)[numbers] <= _ALWAYS_THERE
    return np.flatnonzero(varies & (few | (generator.random(len(scales)) < share)))


def _posterior(
    kernel: ColumnKernel,
    features: Floats,
    values: Floats,
    noise_factors: Floats,
    searched: Integers,
    networks: Integers,
) -> tuple[_Member, Floats]:
    """The member that has seen all rows, and its errors ``[n]`` without the row's network."""
    from scipy.linalg import cholesky, solve_triangular

    rows = np.ascontiguousarray(kernel.inside(features))
    covariance = kernel.between(rows, rows)
    covariance[np.diag_indices_from(covariance)] += kernel.noise * noise_factors + 1e-8

    def whitening_of(part: Floats) -> Floats:
        factor = cholesky(part, lower=True, check_finite=False)
        return np.ascontiguousarray(solve_triangular(factor, np.eye(len(part)), lower=True, check_finite=False))

    whitening = whitening_of(covariance)
    dual = whitening.T @ (whitening @ values)
    errors, _ = left_out_errors(whitening, dual, networks)
    return _Member(kernel, rows, dual, searched, whitening_of(covariance[np.ix_(searched, searched)])), errors


def _member_from_state(state: State, number: int) -> _Member:
    factors, rows, dual, whitening = (
        np.asarray(state[f"{number}.{name}"], np.float64) for name in ("factors", "rows", "dual", "whitening")
    )
    signal, noise = (float(value) for value in state[f"{number}.signal_and_noise"])
    columns, searched = (np.asarray(state[f"{number}.{name}"], np.int64) for name in ("columns", "searched"))
    return _Member(ColumnKernel(columns, factors, signal, noise), rows, dual, searched, whitening)
