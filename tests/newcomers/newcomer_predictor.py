"""A predictor: the mean score of the nearest architectures, by how many choices differ."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.predictors.enough import require_enough
from archatlas.predictors.parameters import PredictorSettings
from archatlas.predictors.protocol import Evaluations, Prediction, State


class NearestSettings(PredictorSettings):
    """How many neighbours are asked."""

    tuned: ClassVar[dict[str, Any]] = {"neighbours": (1, 9, False)}

    neighbours: int = Field(5, ge=1, le=100, description="architectures whose scores are averaged")


class NearestPredictor:
    def __init__(self, settings: NearestSettings, seed: int) -> None:
        self._settings = settings
        self._state: State = {}

    def fit(self, batch: ArchitectureBatch, evaluations: Evaluations) -> None:
        require_enough("nearest", self._settings, batch, evaluations)
        self._state = {"choices": batch.choices, "score": evaluations.score}

    def predict(self, batch: ArchitectureBatch) -> Prediction:
        distances = (batch.choices[:, None] != self._state["choices"][None]).sum(axis=2)
        nearest = np.argsort(distances, axis=1, kind="stable")[:, : self._settings.neighbours]
        scores = self._state["score"][nearest]
        return Prediction(scores.mean(axis=1), scores.std(axis=1))

    def state(self) -> State:
        return dict(self._state)

    def load_state(self, state: State) -> None:
        self._state = dict(state)
