"""What every predictor offers: fit to evaluations, predict with a standard deviation, save and load as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from archatlas.encodings.batch import ArchitectureBatch

State = dict[str, NDArray[np.generic]]
"""A fitted predictor as named arrays: what safetensors can hold and a later version can read."""


def part_of_state(state: State, name: str) -> State:
    """What a state holds for its part ``name``: arrays named ``<name>/<key>``, by key."""
    prefix = f"{name}/"
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}


@dataclass(frozen=True)
class Evaluations:
    """Scores of ``n`` architectures, aligned with the rows of a batch; higher is better.

    Shapes:
        score: float64 ``[n]``
        noise: float64 ``[n]``, the standard error of each score in the score's own unit (zero: taken as exact)
        source: str ``[n]``, where each came from (``supernet``, ``standalone``, ``table``)
    """

    score: NDArray[np.float64]
    noise: NDArray[np.float64]
    source: NDArray[np.str_]

    def __getitem__(self, rows: slice | NDArray[np.integer] | NDArray[np.bool_]) -> Evaluations:
        return Evaluations(self.score[rows], self.noise[rows], self.source[rows])


@dataclass(frozen=True)
class Prediction:
    """Mean and standard deviation ``[n]`` of the kind of score that the predictor was fitted to, in its unit."""

    mean: NDArray[np.float64]
    std: NDArray[np.float64]


@runtime_checkable
class HeldOut(Protocol):
    """A predictor whose fit leaves rows out anyway, and so can say what it would have predicted for them."""

    def held_out(self) -> Prediction:
        """Of the rows of the last fit, in their order; RuntimeError before ``fit``, and after ``load_state`` alone."""


class Predictor(Protocol):
    """A model from architectures to scores. Fitting draws every random number from ``seed``."""

    def fit(self, batch: ArchitectureBatch, evaluations: Evaluations) -> None:
        """Learn from scratch; what an earlier fit learned is forgotten.

        Raises ArchatlasError for fewer networks with a score than its settings' ``fewest`` (`require_enough`).
        """

    def predict(self, batch: ArchitectureBatch) -> Prediction:
        """Raises RuntimeError before ``fit`` or ``load_state``."""

    def state(self) -> State:
        """All that ``predict`` needs, as arrays."""

    def load_state(self, state: State) -> None:
        """Inverse of ``state``, for a predictor made with the same settings."""
