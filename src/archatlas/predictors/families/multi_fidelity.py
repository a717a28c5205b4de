"""Many noisy scores of a super-network and few true accuracies, in one prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.predictors.enough import require_enough
from archatlas.predictors.families.gaussian_process import GaussianProcessPredictor
from archatlas.predictors.make import make_predictor
from archatlas.predictors.protocol import Evaluations, Prediction, Predictor, State, part_of_state
from archatlas.predictors.targets import Floats, TargetTransform

if TYPE_CHECKING:
    from archatlas.predictors.parameters import MultiFidelitySettings

CHEAP = "supernet"
"""The source of scores that are many and biased; every other source counts as the truth."""
_SLOPES = (0.0, 0.5, 1.0)
"""Parts of the slope of least squares, a model each."""


class MultiFidelityPredictor:
    """A predictor of cheap scores, and what the truth has beyond it.

    ``truth(x) = a + b cheap(x) + d(x)``, all on the scale of the target: the autoregression of Kennedy and O'Hagan
    (Biometrika 87(1), 2000, equation 1) with the prediction of a family of choice in the place of a process for the
    cheap scores. ``d`` is the Gaussian process of ``gaussian_process.py``, which reads the predicted cheap score beside
    its own features, as the relation need not be linear (Perdikaris et al., Proc. R. Soc. A 473, 2017). Few labels say
    neither how much of the slope of least squares ``b`` is, nor how much of ``d`` to believe: predicted is the mean of
    four models, ``b`` nothing, half and all of that slope with a ``d`` of its own, and all of it without ``d``. To
    choose one of them by errors out of fold ranked worse, to weight them by these errors no better
    (docs/experiments.md). Predictions are in the unit of the truth. Fitted to cheap scores alone it is their predictor,
    fitted to true ones alone a Gaussian process.
    """

    def __init__(self, settings: MultiFidelitySettings, seed: int) -> None:
        self._settings = settings
        self._seed = seed
        self._cheap: Predictor | None = None
        self._beyond: tuple[GaussianProcessPredictor, ...] = ()
        self._scale = self._target = TargetTransform(np.array([0.0, 1.0]), np.array([0.0, 1.0]), 1.0)
        self._lines = np.zeros((0, 2))
        self._line_error = 0.0

    def fit(self, batch: ArchitectureBatch, evaluations: Evaluations) -> None:
        require_enough("multi_fidelity", self._settings, batch, evaluations)
        transform = self._settings.gp.transform
        cheap = evaluations.source == CHEAP
        self._cheap = self._new_cheap() if cheap.any() else None
        self._beyond, self._lines = (), np.zeros((0, 2))
        if self._cheap is not None:
            self._cheap.fit(batch[cheap], evaluations[cheap])
        if cheap.all():
            return
        known, truth = batch[~cheap], evaluations[~cheap]
        said = self._said(known)
        self._scale = TargetTransform.fit(said, transform)
        self._target = TargetTransform.fit(truth.score, transform)
        level, values = self._scale.forward(said), self._target.forward(truth.score)
        noise = self._target.forward_std(truth.score, truth.noise)
        slope = max(float((level - level.mean()) @ values) / max(float(level.var()) * len(level), 1e-12), 0.0)
        slopes = slope * np.array(_SLOPES if slope else (0.0,))
        self._lines = np.stack([values.mean() - slopes * level.mean(), slopes], axis=1)
        self._line_error = float(np.std(values - slope * level))
        self._beyond = tuple(self._new_beyond() for _ in slopes)
        informed = self._informed(known, level)
        for line, beyond in zip(self._lines, self._beyond, strict=True):
            beyond.fit(informed, Evaluations(values - _on(line, level), noise, truth.source))

    def predict(self, batch: ArchitectureBatch) -> Prediction:
        if not self._beyond:
            if self._cheap is None:
                raise RuntimeError("predict was called before fit or load_state")
            return self._cheap.predict(batch)
        level = self._scale.forward(self._said(batch))
        informed = self._informed(batch, level)
        means, variances = [], []
        for line, beyond in zip(self._lines, self._beyond, strict=True):
            said = beyond.predict(informed)
            means.append(_on(line, level) + said.mean)
            variances.append(said.std**2)
        if self._lines[-1, 1]:
            means.append(_on(self._lines[-1], level))
            variances.append(np.full(len(level), self._line_error**2))
        value = np.mean(means, axis=0)
        std = np.sqrt(np.mean(variances, axis=0) + np.var(means, axis=0))
        return Prediction(self._target.inverse(value), self._target.inverse_std(value, std))

    def _new_cheap(self) -> Predictor:
        return make_predictor(self._settings.cheap, self._settings.cheap_settings, self._seed)

    def _new_beyond(self) -> GaussianProcessPredictor:
        asked = self._settings.gp
        informed = asked.proxies or self._cheap is not None
        return GaussianProcessPredictor(asked.model_copy(update={"proxies": informed, "transform": "raw"}), self._seed)

    def _said(self, batch: ArchitectureBatch) -> Floats:
        """Predicted cheap scores, ``[n]``; zeros where there are none."""
        return np.zeros(len(batch)) if self._cheap is None else self._cheap.predict(batch).mean

    def _informed(self, batch: ArchitectureBatch, level: Floats) -> ArchitectureBatch:
        """The batch with what was said of it as a proxy."""
        if self._cheap is None:
            return batch
        proxies = pd.DataFrame({"cheap": level})
        if self._settings.gp.proxies and batch.proxies is not None:
            proxies = pd.concat([batch.proxies.reset_index(drop=True), proxies], axis=1)
        return batch.with_proxies(proxies)

    def state(self) -> State:
        if self._cheap is None and not self._beyond:
            raise RuntimeError("state was called before fit or load_state")
        state: State = {"lines": self._lines, "line_error": np.array([self._line_error])}
        parts: dict[str, Predictor | TargetTransform] = {"scale": self._scale, "target": self._target}
        parts |= {f"beyond_{number}": beyond for number, beyond in enumerate(self._beyond)}
        if self._cheap is not None:
            parts["cheap"] = self._cheap
        for name, part in parts.items():
            state |= {f"{name}/{key}": value for key, value in part.state().items()}
        return state

    def load_state(self, state: State) -> None:
        self._lines = np.asarray(state["lines"], np.float64)
        self._line_error = float(state["line_error"][0])
        cheap, scale, target = (part_of_state(state, name) for name in ("cheap", "scale", "target"))
        self._scale, self._target = TargetTransform.from_state(scale), TargetTransform.from_state(target)
        self._cheap = self._new_cheap() if cheap else None
        if self._cheap is not None:
            self._cheap.load_state(cheap)
        self._beyond = tuple(self._new_beyond() for _ in self._lines)
        for number, beyond in enumerate(self._beyond):
            beyond.load_state(part_of_state(state, f"beyond_{number}"))


def _on(line: Floats, level: Floats) -> Floats:
    """Values on a line (intercept, slope)."""
    return np.asarray(line[0] + line[1] * level, dtype=np.float64)
