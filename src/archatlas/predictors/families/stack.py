"""Predictors of several families as one, weighted by what they say of rows that they have not seen."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.predictors.enough import require_enough
from archatlas.predictors.families.mixture import mixture_weights
from archatlas.predictors.make import make_predictor
from archatlas.predictors.protocol import Evaluations, HeldOut, Prediction, Predictor, State, part_of_state
from archatlas.predictors.targets import Floats, TargetTransform, interval_width, leave_out, noise_weights

if TYPE_CHECKING:
    from archatlas.predictors.parameters import StackSettings


class StackPredictor:
    """A weighted mean of its members' predictions on the scale of the target (quantiles of ranks, or raw scores).

    Weights are those of ``mixture_weights`` for predictions out of fold: a member's own, if its fit leaves rows out
    (``HeldOut``), or those of as many more fits as there are folds. The standard deviation is the mean of the members'
    by their weights, with their disagreement, times one factor that makes intervals of left-out rows cover what they
    promise (``interval_width``).
    """

    def __init__(self, settings: StackSettings, seed: int) -> None:
        self._settings = settings
        self._seed = seed
        self._members = {name: make_predictor(name, member, seed) for name, member in settings.members.items()}
        self._target: TargetTransform | None = None
        self._mixture: Floats = np.zeros(0)
        self._width = 1.0

    def fit(self, batch: ArchitectureBatch, evaluations: Evaluations) -> None:
        settings = self._settings
        require_enough("stack", settings, batch, evaluations)
        target = TargetTransform.fit(evaluations.score, settings.transform)
        values = target.forward(evaluations.score)
        fold_of = leave_out(batch.networks, settings.folds, self._seed)
        means, stds = [], []
        for name, member in self._members.items():
            member.fit(batch, evaluations)
            said = (
                member.held_out()
                if isinstance(member, HeldOut)
                else _out_of_fold(partial(self._new, name), batch, evaluations, fold_of)
            )
            means.append(target.forward(said.mean))
            stds.append(target.forward_std(said.mean, said.std))
        mixture = mixture_weights(means, values, noise_weights(evaluations))
        mixed, sigma = _mixed(mixture, np.stack(means), np.stack(stds))
        self._target, self._mixture = target, mixture
        self._width = interval_width(np.abs(values - mixed) / sigma)

    def _new(self, name: str) -> Predictor:
        return make_predictor(name, self._settings.members[name], self._seed)

    def predict(self, batch: ArchitectureBatch) -> Prediction:
        if self._target is None:
            raise RuntimeError("predict was called before fit or load_state")
        target = self._target
        said = [member.predict(batch) for member in self._members.values()]
        means = np.stack([target.forward(one.mean) for one in said])
        stds = np.stack([target.forward_std(one.mean, one.std) for one in said])
        mixed, sigma = _mixed(self._mixture, means, stds)
        return Prediction(target.inverse(mixed), target.inverse_std(mixed, self._width * sigma))

    def state(self) -> State:
        if self._target is None:
            raise RuntimeError("state was called before fit or load_state")
        state: State = self._target.state() | {"mixture": self._mixture, "width": np.array([self._width])}
        for name, member in self._members.items():
            state |= {f"{name}/{key}": value for key, value in member.state().items()}
        return state

    def load_state(self, state: State) -> None:
        self._target = TargetTransform.from_state(state)
        self._mixture = np.asarray(state["mixture"], np.float64)
        self._width = float(state["width"][0])
        for name, member in self._members.items():
            member.load_state(part_of_state(state, name))

    @property
    def shares(self) -> dict[str, float]:
        """What part of the prediction each member gives; together 1, or all 0 if none says anything."""
        total = float(self._mixture[1:].sum()) or 1.0
        return {name: float(weight) / total for name, weight in zip(self._members, self._mixture[1:], strict=True)}


def _out_of_fold(
    make: Callable[[], Predictor], batch: ArchitectureBatch, evaluations: Evaluations, fold_of: NDArray[np.int64]
) -> Prediction:
    """Predictions of every row by a model that was fitted to the other folds."""
    mean, std = np.zeros(len(batch)), np.zeros(len(batch))
    for fold in np.unique(fold_of):
        inside = fold_of == fold
        predictor = make()
        predictor.fit(batch[~inside], evaluations[~inside])
        predicted = predictor.predict(batch[inside])
        mean[inside], std[inside] = predicted.mean, predicted.std
    return Prediction(mean, std)


def _mixed(mixture: Floats, means: Floats, stds: Floats) -> tuple[Floats, Floats]:
    """Mean and standard deviation ``[n]`` of members' ``[members, n]``."""
    weights = mixture[1:]
    shares = weights / weights.sum() if weights.any() else np.full(len(weights), 1 / len(weights))
    apart = shares @ (means - shares @ means) ** 2
    return mixture[0] + weights @ means, np.maximum(np.sqrt((shares @ stds) ** 2 + apart), 1e-9)
