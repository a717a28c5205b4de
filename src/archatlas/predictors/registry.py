"""Predictors by name."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import numpy as np
from pydantic import BaseModel, ValidationError

from archatlas.errors import ArchatlasError, nearest
from archatlas.predictors.parameters import (
    ConstantSettings,
    CostSettings,
    FlowSettings,
    GaussianProcessSettings,
    GCNSettings,
    LightGBMSettings,
    MultiFidelitySettings,
    RandomForestSettings,
    RidgeSettings,
    StackSettings,
)
from archatlas.predictors.protocol import Predictor, State

_FAMILIES: dict[str, tuple[str, type[BaseModel]]] = {
    "constant": ("archatlas.predictors.simple:ConstantPredictor", ConstantSettings),
    "flow": ("archatlas.predictors.gcn:GCNPredictor", FlowSettings),
    "gcn": ("archatlas.predictors.gcn:GCNPredictor", GCNSettings),
    "gp": ("archatlas.predictors.gaussian_process:GaussianProcessPredictor", GaussianProcessSettings),
    "lightgbm": ("archatlas.predictors.gradient_boosting:LightGBMPredictor", LightGBMSettings),
    "macs": ("archatlas.predictors.simple:MacsPredictor", CostSettings),
    "multi_fidelity": ("archatlas.predictors.multi_fidelity:MultiFidelityPredictor", MultiFidelitySettings),
    "params": ("archatlas.predictors.simple:ParamsPredictor", CostSettings),
    "random_forest": ("archatlas.predictors.random_forest:RandomForestPredictor", RandomForestSettings),
    "ridge": ("archatlas.predictors.ridge:RidgePredictor", RidgeSettings),
    "stack": ("archatlas.predictors.stack:StackPredictor", StackSettings),
}
"""Family to class, imported when it is made, and model of its settings. A new predictor is a file and a line here."""

PREDICTORS = sorted(_FAMILIES)


def make_predictor(name: str, settings: Mapping[str, Any] | None, seed: int) -> Predictor:
    """An unfitted predictor of the family ``name``; ``settings`` override the family's defaults.

    Raises ArchatlasError for an unknown family or setting, with the nearest known name.
    """
    validated = predictor_settings(name, settings)
    module, class_name = _FAMILIES[name][0].split(":")
    predictor: Predictor = getattr(import_module(module), class_name)(validated, seed)
    return predictor


def predictor_settings(name: str, settings: Mapping[str, Any] | None) -> BaseModel:
    """All settings of the family ``name``, with ``settings`` in the place of its defaults.

    Raises ArchatlasError for an unknown family or setting, with the nearest known name.
    """
    if name not in _FAMILIES:
        raise ArchatlasError(f"`predictor.name`: there is no predictor {name!r}{nearest(name, PREDICTORS)}")
    model = _FAMILIES[name][1]
    unknown = sorted(set(settings or {}) - set(model.model_fields))
    if unknown:
        hint = nearest(unknown[0], model.model_fields)
        raise ArchatlasError(f"`predictor.{name}`: there is no setting {unknown[0]!r}{hint}")
    try:
        return model.model_validate(dict(settings or {}))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        message = f"`predictor.{name}.{place}`: {first['msg']}, but got {first['input']!r}"
        raise ArchatlasError(message) from error


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
