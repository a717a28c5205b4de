"""Gaussian processes on blocks of features of graphs: what is done with an encoding, whatever the encoding."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.encodings.blocks import Blocks
from archatlas.encodings.distinct_rows import distinct_rows
from archatlas.predictors.enough import require_enough
from archatlas.predictors.families.block_kernel import BlockKernel, KernelName, search_block_kernel
from archatlas.predictors.families.left_out_errors import left_out_errors
from archatlas.predictors.families.most_rows import learned_from_most
from archatlas.predictors.parameters import PredictorSettings, TargetTransformName
from archatlas.predictors.protocol import Evaluations, Prediction, State, part_of_state
from archatlas.predictors.targets import Floats, TargetTransform, interval_width, noise_weights
from archatlas.predictors.threads import single_thread

_LOGGER = logging.getLogger(__name__)
_SEARCHED_ROWS = 500
_PREDICTED_AT_ONCE = 2048
_JITTER = 1e-8


class GraphKernelSettings(PredictorSettings):
    """What all Gaussian processes on blocks of features can be asked."""

    kernel: KernelName = Field(
        default="matern", description="rows are compared by their distance (matern) or by their product (dot)"
    )
    rows: int = Field(default=2000, ge=10, le=20_000, description="architectures that are learned, at most")
    transform: TargetTransformName = Field(
        default="quantile",
        description="what is learned: the standardised score (raw), or the normal quantile of its rank (quantile)",
    )


class Encoding(Protocol):
    """From architectures to blocks of features, and kept as arrays."""

    def blocks(self, batch: ArchitectureBatch) -> Blocks:
        """Of any batch of the same space."""

    def state(self) -> State:
        """All that ``blocks`` needs."""


@dataclass(frozen=True)
class _Process:
    """An encoding and a kernel with its posterior.

    Shapes:
        rows: the ``n`` that were learned
        dual: ``[n]``
        whitening: ``[n, n]``, inverse of the Cholesky factor of their covariance
        errors, sigma: ``[n]``, of each row foretold by those of all other networks (``left_out_errors``)
    """

    encoding: Encoding
    kernel: BlockKernel
    rows: Blocks
    dual: Floats
    whitening: Floats
    errors: Floats
    sigma: Floats

    @classmethod
    def fit(
        cls,
        encoding: Encoding,
        rows: Blocks,
        values: Floats,
        noise_factors: Floats,
        networks: NDArray[np.int64],
        name: KernelName,
        seed: int,
    ) -> Self:
        """The posterior of ``values [n]``, of mean zero; ``networks`` numbers those of the rows."""
        from scipy.linalg import cholesky, solve_triangular

        some = np.random.default_rng(seed).permutation(len(values))[:_SEARCHED_ROWS]
        kernel = search_block_kernel(name, rows[some], values[some], noise_factors[some])
        covariance = kernel.between(rows, rows)
        covariance[np.diag_indices_from(covariance)] += kernel.noise * noise_factors + _JITTER
        factor = cholesky(covariance, lower=True, check_finite=False)
        whitening = np.asarray(solve_triangular(factor, np.eye(len(values)), lower=True), dtype=np.float64)
        dual = whitening.T @ (whitening @ values)
        errors, precision = left_out_errors(whitening, dual, networks)
        return cls(encoding, kernel, rows, dual, whitening, errors, precision**-0.5)

    def predict(self, blocks: Blocks) -> tuple[Floats, Floats]:
        """Mean about that of the target, and standard deviation of a new observation, ``[m]``."""
        near = self.kernel.between(blocks, self.rows)
        explained = near @ self.whitening.T
        left = self.kernel.variances(blocks) - np.einsum("mn,mn->m", explained, explained)
        return near @ self.dual, np.sqrt(np.maximum(left, 0.0) + self.kernel.noise)

    @property
    def surprise(self) -> float:
        """Minus the mean log density of a row by all other networks, without its constant (equation 5.10)."""
        return float(np.mean((self.errors / self.sigma) ** 2 / 2 + np.log(self.sigma)))


@dataclass(frozen=True)
class _Fitted:
    name: str
    process: _Process
    centre: float
    width: float
    target: TargetTransform


class GraphKernelPredictor(ABC):
    """A Gaussian process on what an encoding makes of graphs; of several, on the one that foretells left-out rows best.

    The kernel (``block_kernel.py``) has seen the rows that are left out: it has but a few weights. The standard
    deviation is that of a new evaluation, times one factor that makes the normal intervals of left-out rows cover what
    they promise.
    """

    family: ClassVar[str]
    """Its name in the registry."""

    def __init__(self, settings: GraphKernelSettings, seed: int) -> None:
        self._settings = settings
        self._seed = seed
        self._fitted: _Fitted | None = None
        self._held_out: Prediction | None = None

    @abstractmethod
    def encodings(self, batch: ArchitectureBatch) -> Mapping[str, Encoding]:
        """What rows may be compared by, by name."""

    @abstractmethod
    def encoding_from_state(self, name: str, state: State) -> Encoding:
        """Inverse of the ``state`` of the encoding ``name``."""

    @property
    def chosen(self) -> str:
        """The name of the encoding that predicts; RuntimeError before ``fit`` or ``load_state``."""
        return self._known("chosen").name

    @single_thread()
    def fit(self, batch: ArchitectureBatch, evaluations: Evaluations) -> None:
        require_enough(self.family, self._settings, batch, evaluations)
        rows, seed = self._settings.rows, self._seed
        self._held_out = learned_from_most(self._learn, self.predict, batch, evaluations, rows, seed)

    def _learn(self, batch: ArchitectureBatch, evaluations: Evaluations) -> Prediction:
        target = TargetTransform.fit(evaluations.score, self._settings.transform)
        values, noise_factors = target.forward(evaluations.score), 1 / noise_weights(evaluations)
        centre = float(values.mean())
        processes = {
            name: _Process.fit(
                encoding,
                encoding.blocks(batch),
                values - centre,
                noise_factors,
                batch.networks,
                self._settings.kernel,
                self._seed,
            )
            for name, encoding in self.encodings(batch).items()
        }
        name = min(processes, key=lambda one: processes[one].surprise)
        if len(processes) > 1:
            told = ", ".join(f"{one}: {process.surprise:.3f}" for one, process in processes.items())
            _LOGGER.debug("%d rows are compared by %s (minus log density of left-out rows: %s)", len(batch), name, told)
        process = processes[name]
        width = interval_width(np.abs(process.errors) / process.sigma)
        self._fitted = _Fitted(name, process, centre, width, target)
        foretold = values - process.errors
        return Prediction(target.inverse(foretold), target.inverse_std(foretold, width * process.sigma))

    @single_thread()
    def predict(self, batch: ArchitectureBatch) -> Prediction:
        fitted = self._known("predict")
        first, place = distinct_rows(batch.choices)
        value, sigma = np.zeros(len(first)), np.zeros(len(first))
        for start in range(0, len(first), _PREDICTED_AT_ONCE):
            here = slice(start, start + _PREDICTED_AT_ONCE)
            value[here], sigma[here] = fitted.process.predict(fitted.process.encoding.blocks(batch[first[here]]))
        value += fitted.centre
        std = fitted.target.inverse_std(value, fitted.width * sigma)
        return Prediction(fitted.target.inverse(value)[place], std[place])

    def held_out(self) -> Prediction:
        """Of the rows of the last fit, each foretold by all other networks that were learned."""
        if self._held_out is None:
            raise RuntimeError("held_out was called before fit")
        return self._held_out

    def state(self) -> State:
        fitted = self._known("state")
        process = fitted.process
        state: State = fitted.target.state() | process.kernel.state() | process.rows.state("rows")
        state |= {f"encoding/{key}": value for key, value in process.encoding.state().items()}
        state |= {"chosen": np.frombuffer(fitted.name.encode(), dtype=np.uint8).copy()}
        state |= {name: getattr(process, name) for name in ("dual", "whitening", "errors", "sigma")}
        return state | {"centre_and_width": np.array([fitted.centre, fitted.width])}

    def load_state(self, state: State) -> None:
        name = np.asarray(state["chosen"], np.uint8).tobytes().decode()
        arrays = (np.asarray(state[key], np.float64) for key in ("dual", "whitening", "errors", "sigma"))
        process = _Process(
            self.encoding_from_state(name, part_of_state(state, "encoding")),
            BlockKernel.from_state(state, self._settings.kernel),
            Blocks.from_state(state, "rows"),
            *arrays,
        )
        centre, width = (float(value) for value in state["centre_and_width"])
        self._fitted = _Fitted(name, process, centre, width, TargetTransform.from_state(state))

    def _known(self, asked: str) -> _Fitted:
        if self._fitted is None:
            raise RuntimeError(f"{asked} was called before fit or load_state")
        return self._fitted
