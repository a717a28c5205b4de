"""Predictors that know nothing, or one cost: what every other has to beat."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.predictors.enough import require_enough
from archatlas.predictors.protocol import Evaluations, Prediction, State
from archatlas.predictors.targets import Floats, spread_of

if TYPE_CHECKING:
    from archatlas.predictors.parameters import PredictorSettings


class _LinePredictor(ABC):
    """``intercept + slope * x`` by least squares; the standard deviation is that of its residuals.

    A line through one or two scores leaves nothing: there it is that of the scores.
    """

    family: ClassVar[str]
    """Its name in the registry."""

    def __init__(self, settings: PredictorSettings, seed: int) -> None:
        self._settings = settings
        self._line: Floats | None = None

    @abstractmethod
    def _known(self, batch: ArchitectureBatch) -> Floats:
        """What the predictor goes by, ``[n]``."""

    def fit(self, batch: ArchitectureBatch, evaluations: Evaluations) -> None:
        require_enough(self.family, self._settings, batch, evaluations)
        x, score = self._known(batch), evaluations.score
        centred = x - x.mean()
        variance = float(centred @ centred)
        slope = float(centred @ score) / variance if variance > 0 else 0.0
        intercept = float(score.mean()) - slope * float(x.mean())
        left = (score - intercept - slope * x).std() if len(score) > 2 else spread_of(score)
        self._line = np.array([intercept, slope, left])

    def predict(self, batch: ArchitectureBatch) -> Prediction:
        if self._line is None:
            raise RuntimeError("predict was called before fit or load_state")
        intercept, slope, std = self._line
        return Prediction(intercept + slope * self._known(batch), np.full(len(batch), std))

    def state(self) -> State:
        if self._line is None:
            raise RuntimeError("state was called before fit or load_state")
        return {"line": self._line}

    def load_state(self, state: State) -> None:
        self._line = np.asarray(state["line"], np.float64)


class ConstantPredictor(_LinePredictor):
    """The mean score for everything; its rank correlations are 0 by definition (see metrics.py)."""

    family = "constant"

    def _known(self, batch: ArchitectureBatch) -> Floats:
        return np.zeros(len(batch))


class MacsPredictor(_LinePredictor):
    """A line in the logarithm of the MACs: it ranks as MACs alone rank."""

    family = "macs"

    def _known(self, batch: ArchitectureBatch) -> Floats:
        return np.asarray(np.log1p(batch.costs[self.family].to_numpy(np.float64)), dtype=np.float64)


class ParamsPredictor(MacsPredictor):
    """A line in the logarithm of the number of parameters."""

    family = "params"
