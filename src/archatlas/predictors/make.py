"""Predictors of the registry's families: made, described and loaded."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.errors import ArchatlasError
from archatlas.predictors.protocol import Evaluations, Predictor, State
from archatlas.predictors.registry import PREDICTORS, predictor_settings
from archatlas.spaces.identity import identity_of
from archatlas.spaces.protocol import SearchSpace


def make_predictor(name: str, settings: Mapping[str, Any] | None, seed: int) -> Predictor:
    """An unfitted predictor of the family ``name``; ``settings`` override the family's defaults.

    Its ``fit`` raises ArchatlasError for fewer networks with a score than the family needs.

    Raises ArchatlasError for an unknown family or setting, with the nearest known name.
    """
    validated = predictor_settings(name, settings)
    predictor: Predictor = _asking_for(validated.fewest, name, PREDICTORS.load(name))(validated, seed)
    return predictor


@cache
def _asking_for(fewest: int, name: str, family: Any) -> Any:
    """The class ``family``, whose ``fit`` first looks whether there are ``fewest`` networks with a score."""

    class Asking(family):  # type: ignore[misc]
        def fit(self, batch: ArchitectureBatch, evaluations: Evaluations) -> None:
            known = len(np.unique(batch.networks[np.isfinite(evaluations.score)]))
            if known < fewest:
                raise ArchatlasError(
                    f"the predictor `{name}` learns from {fewest} or more networks with a score, but there are "
                    f"{known}: evaluate more, or take another family (`evidence` does without any)"
                )
            super().fit(batch, evaluations)

        def __reduce__(self) -> tuple[Any, ...]:
            return _unmade, (fewest, name), self.__dict__

    Asking.__name__, Asking.__qualname__, Asking.__module__ = family.__name__, family.__qualname__, family.__module__
    return Asking


def _unmade(fewest: int, name: str) -> Any:
    """What pickle puts a predictor's attributes into."""
    family = _asking_for(fewest, name, PREDICTORS.load(name))
    return family.__new__(family)


def describe_predictor(
    family: str, settings: Mapping[str, Any], seed: int, target: str, space: SearchSpace
) -> dict[str, Any]:
    """What :func:`load_predictor` needs beside the state, as a JSON document."""
    given = dict(settings)
    return {"family": family, "settings": given, "seed": seed, "target": target, "space": identity_of(space)}


def load_predictor(description: Mapping[str, Any], state: Mapping[str, Any], space: SearchSpace) -> Predictor:
    """The fitted predictor of ``description`` (from ``describe_predictor``), to predict networks of ``space``.

    Args:
        description: family, settings, seed, target, and the identity of the space that it was fitted to.
        state: arrays or tensors by name.
        space: of what is to be predicted.

    Raises:
        ArchatlasError: it was fitted to networks of another space, of which choices and graphs mean something else.
    """
    if description["space"] != identity_of(space):
        raise ArchatlasError(
            f"this {description['family']} was fitted to networks of another space than {space.name} for images of "
            f"{space.input_shape[-1]} pixels, and would predict nonsense: fit it anew (`kedro run --pipelines "
            "fit_predictor,tune_predictor`), or set the parameters `space` and `images` back"
        )
    predictor = make_predictor(description["family"], description["settings"], int(description["seed"]))
    predictor.load_state({name: np.asarray(value) for name, value in state.items()})
    return predictor


def scores_learned(description: Mapping[str, Any]) -> str:
    """Which scores of super-networks a predictor learned from: its target, or ``scores`` where that is another."""
    return str(description.get("scores", description["target"]))


def state_tensors(state: State) -> dict[str, Any]:
    """A predictor's state as torch tensors, as safetensors keeps it."""
    import torch

    return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in state.items()}
