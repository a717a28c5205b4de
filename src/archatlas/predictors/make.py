"""Predictors of the registry's families: made, described and loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from archatlas.errors import ArchatlasError
from archatlas.predictors.protocol import Predictor, State
from archatlas.predictors.registry import PREDICTORS, predictor_settings
from archatlas.spaces.identity import identity_of
from archatlas.spaces.protocol import SearchSpace


def make_predictor(name: str, settings: Mapping[str, Any] | None, seed: int) -> Predictor:
    """An unfitted predictor of the family ``name``; ``settings`` override the family's defaults.

    Raises ArchatlasError for an unknown family or setting, with the nearest known name.
    """
    validated = predictor_settings(name, settings)
    predictor: Predictor = PREDICTORS.load(name)(validated, seed)
    return predictor


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
