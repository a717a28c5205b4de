"""The additive model: every choice adds its own contribution. The baseline that a graph network has to beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.encodings.node_kinds import kind_counts, node_kinds
from archatlas.encodings.one_hot import one_hot
from archatlas.encodings.weisfeiler_lehman import Labels
from archatlas.predictors.enough import require_enough
from archatlas.predictors.protocol import Evaluations, Prediction, State
from archatlas.predictors.targets import Floats, TargetTransform, noise_weights
from archatlas.predictors.threads import single_thread

if TYPE_CHECKING:
    from archatlas.predictors.parameters import RidgeSettings


@dataclass(frozen=True)
class LinearModel:
    """A Bayesian ridge on standardised columns.

    Shapes:
        centre, scale: float64 ``[t]``, of the columns
        coefficients: float64 ``[t]``
        covariance: float64 ``[t, t]``, posterior of the coefficients
        offset, noise_variance: float
    """

    centre: Floats
    scale: Floats
    coefficients: Floats
    covariance: Floats
    offset: float
    noise_variance: float

    @classmethod
    def fit(cls, columns: Floats, target: Floats, weights: Floats) -> LinearModel:
        """Evidence maximisation (MacKay, Neural Computation 4(3), 1992; scikit-learn's BayesianRidge), weighted."""
        from sklearn.linear_model import BayesianRidge

        centre = np.average(columns, axis=0, weights=weights)
        scale = columns.std(axis=0)
        scale = np.where(scale > 1e-9, scale, 1.0)
        offset = float(np.average(target, weights=weights))
        model = BayesianRidge(fit_intercept=False)
        model.fit((columns - centre) / scale, target - offset, sample_weight=weights)
        covariance = np.asarray(model.sigma_, dtype=np.float64)
        return cls(centre, scale, np.asarray(model.coef_, np.float64), covariance, offset, float(1 / model.alpha_))

    def predict(self, columns: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation ``[n]`` of a new observation."""
        inside = (columns - self.centre) / self.scale
        variance = np.einsum("nt,nt->n", inside @ self.covariance, inside) + self.noise_variance
        return inside @ self.coefficients + self.offset, np.sqrt(variance)

    def state(self, prefix: str) -> State:
        return {
            f"{prefix}.centre": self.centre,
            f"{prefix}.scale": self.scale,
            f"{prefix}.coefficients": self.coefficients,
            f"{prefix}.covariance": self.covariance,
            f"{prefix}.offset_and_noise_variance": np.array([self.offset, self.noise_variance]),
        }

    @classmethod
    def from_state(cls, state: State, prefix: str) -> LinearModel:
        names = ("centre", "scale", "coefficients", "covariance")
        centre, scale, coefficients, covariance = (np.asarray(state[f"{prefix}.{name}"], np.float64) for name in names)
        offset, noise_variance = state[f"{prefix}.offset_and_noise_variance"]
        return cls(centre, scale, coefficients, covariance, float(offset), float(noise_variance))


class RidgePredictor:
    """Additive in one-hot choices, or in counts of node kinds; deviations from the Bayesian linear posterior."""

    def __init__(self, settings: RidgeSettings, seed: int) -> None:
        self._settings = settings
        self._kinds: Labels = np.zeros(0, dtype=np.int64)
        self._model: LinearModel | None = None
        self._target: TargetTransform | None = None

    @single_thread()
    def fit(self, batch: ArchitectureBatch, evaluations: Evaluations) -> None:
        require_enough("ridge", self._settings, batch, evaluations)
        if self._settings.features == "kinds":
            self._kinds = node_kinds(batch.graphs)
        self._target = TargetTransform.fit(evaluations.score, self._settings.transform)
        target = self._target.forward(evaluations.score)
        self._model = LinearModel.fit(self._columns(batch), target, noise_weights(evaluations))

    @single_thread()
    def predict(self, batch: ArchitectureBatch) -> Prediction:
        if self._model is None or self._target is None:
            raise RuntimeError("predict was called before fit or load_state")
        value, std = self._model.predict(self._columns(batch))
        return Prediction(self._target.inverse(value), self._target.inverse_std(value, std))

    def _columns(self, batch: ArchitectureBatch) -> NDArray[np.float64]:
        if self._settings.features == "kinds":
            return kind_counts(batch.graphs, self._kinds)
        return one_hot(batch.choices, batch.space.num_choices)

    def state(self) -> State:
        if self._model is None or self._target is None:
            raise RuntimeError("state was called before fit or load_state")
        return {"kinds": self._kinds, **self._model.state("model"), **self._target.state()}

    def load_state(self, state: State) -> None:
        self._kinds = np.asarray(state["kinds"], np.int64)
        self._model = LinearModel.from_state(state, "model")
        self._target = TargetTransform.from_state(state)
