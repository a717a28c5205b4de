"""Predictors of the registry's families: made, described and loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from archatlas.predictors.protocol import Predictor, State
from archatlas.predictors.registry import PREDICTORS, predictor_settings


def make_predictor(name: str, settings: Mapping[str, Any] | None, seed: int) -> Predictor:
    """An unfitted predictor of the family ``name``; ``settings`` override the family's defaults.

    Raises ArchatlasError for an unknown family or setting, with the nearest known name.
    """
    validated = predictor_settings(name, settings)
    predictor: Predictor = PREDICTORS.load(name)(validated, seed)
    return predictor


def describe_predictor(family: str, settings: Mapping[str, Any], seed: int, target: str) -> dict[str, Any]:
    """What :func:`load_predictor` needs beside the state, as a JSON document."""
    return {"family": family, "settings": dict(settings), "seed": seed, "target": target}


def load_predictor(description: Mapping[str, Any], state: Mapping[str, Any]) -> Predictor:
    """The fitted predictor of ``description`` ({family, settings, seed, target}); ``state`` holds arrays or tensors."""
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
