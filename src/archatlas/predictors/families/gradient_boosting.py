"""Gradient-boosted trees (LightGBM) on one-hot choices and counts of node kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.encodings.node_kinds import kind_counts, node_kinds
from archatlas.encodings.one_hot import one_hot
from archatlas.encodings.weisfeiler_lehman import Labels
from archatlas.predictors.enough import require_enough
from archatlas.predictors.protocol import Evaluations, Prediction, State
from archatlas.predictors.targets import ErrorSpread, Floats, TargetTransform, leave_out, noise_weights

if TYPE_CHECKING:
    import lightgbm

    from archatlas.predictors.parameters import LightGBMSettings


class LightGBMPredictor:
    """An ensemble of boosted trees; each member is fitted without its share of the rows, which measures the error.

    The standard deviation is that of ``ErrorSpread``.
    """

    def __init__(self, settings: LightGBMSettings, seed: int) -> None:
        self._settings = settings
        self._seed = seed
        self._kinds: Labels = np.zeros(0, dtype=np.int64)
        self._members: list[lightgbm.Booster] = []
        self._target: TargetTransform | None = None
        self._error: ErrorSpread | None = None

    def fit(self, batch: ArchitectureBatch, evaluations: Evaluations) -> None:
        require_enough("lightgbm", self._settings, batch, evaluations)
        self._kinds = node_kinds(batch.graphs)
        self._target = TargetTransform.fit(evaluations.score, self._settings.transform)
        columns, target = self._columns(batch), self._target.forward(evaluations.score)
        weights = noise_weights(evaluations)
        left_out = leave_out(batch.networks, self._settings.ensemble, self._seed)
        self._members = [
            self._boost(columns[left_out != member], target[left_out != member], weights[left_out != member], member)
            for member in range(self._settings.ensemble)
        ]
        outputs = self._outputs(columns)
        out_of_fold = outputs[np.arange(len(batch)), left_out]
        self._error = ErrorSpread.fit(target, out_of_fold, outputs.std(axis=1))

    def _boost(self, columns: Floats, target: Floats, weights: Floats, member: int) -> lightgbm.Booster:
        import lightgbm

        settings = self._settings
        options: dict[str, Any] = {
            "objective": "regression",
            "num_leaves": settings.leaves,
            "learning_rate": settings.learning_rate,
            "min_data_in_leaf": settings.min_leaf,
            "lambda_l2": settings.l2,
            "bagging_fraction": 0.8,
            "bagging_freq": 1,
            "feature_fraction": 0.8,
            "seed": self._seed * 1000 + member,
            "num_threads": 1,  # more threads sum in another order
            "deterministic": True,
            "verbosity": -1,
        }
        data = lightgbm.Dataset(columns, target, weight=weights, params={"verbosity": -1, "min_data_in_bin": 1})
        return lightgbm.train(options, data, settings.trees)

    def predict(self, batch: ArchitectureBatch) -> Prediction:
        if self._target is None or self._error is None:
            raise RuntimeError("predict was called before fit or load_state")
        outputs = self._outputs(self._columns(batch))
        value = outputs.mean(axis=1)
        std = self._target.inverse_std(value, self._error.std(outputs.std(axis=1)))
        return Prediction(self._target.inverse(value), std)

    def _columns(self, batch: ArchitectureBatch) -> Floats:
        return np.hstack([one_hot(batch.choices, batch.space.num_choices), kind_counts(batch.graphs, self._kinds)])

    def _outputs(self, columns: Floats) -> Floats:
        return np.stack([np.asarray(member.predict(columns, num_threads=1)) for member in self._members], axis=1)

    def state(self) -> State:
        if self._target is None or self._error is None:
            raise RuntimeError("state was called before fit or load_state")
        models = {
            f"member_{index}": np.frombuffer(member.model_to_string().encode(), dtype=np.uint8).copy()
            for index, member in enumerate(self._members)
        }
        return {"kinds": self._kinds, **models, **self._error.state(), **self._target.state()}

    def load_state(self, state: State) -> None:
        import lightgbm

        self._kinds = np.asarray(state["kinds"], np.int64)
        self._members = [
            lightgbm.Booster(model_str=np.asarray(state[f"member_{index}"]).tobytes().decode())
            for index in range(self._settings.ensemble)
        ]
        self._target = TargetTransform.from_state(state)
        self._error = ErrorSpread.from_state(state)
