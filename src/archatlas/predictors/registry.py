"""Predictors by name, and their settings. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from archatlas.errors import ArchatlasError, nearest
from archatlas.predictors.parameters import PredictorSettings
from archatlas.registry import Registry

PREDICTORS = Registry(
    "predictor",
    {
        "constant": (
            "archatlas.predictors.families.simple:ConstantPredictor",
            "archatlas.predictors.parameters:ConstantSettings",
        ),
        "estimated_proxies": (
            "archatlas.predictors.families.estimated_proxies:EstimatedProxiesPredictor",
            "archatlas.predictors.families.estimated_proxies:EstimatedProxiesSettings",
        ),
        "evidence": (
            "archatlas.predictors.families.evidence:EvidencePredictor",
            "archatlas.predictors.families.evidence:EvidenceSettings",
        ),
        "flow": (
            "archatlas.predictors.graph_networks.gcn:GCNPredictor",
            "archatlas.predictors.parameters:FlowSettings",
        ),
        "gcn": (
            "archatlas.predictors.graph_networks.gcn:GCNPredictor",
            "archatlas.predictors.parameters:GCNSettings",
        ),
        "gp": (
            "archatlas.predictors.families.gaussian_process:GaussianProcessPredictor",
            "archatlas.predictors.parameters:GaussianProcessSettings",
        ),
        "lightgbm": (
            "archatlas.predictors.families.gradient_boosting:LightGBMPredictor",
            "archatlas.predictors.parameters:LightGBMSettings",
        ),
        "macs": (
            "archatlas.predictors.families.simple:MacsPredictor",
            "archatlas.predictors.parameters:CostSettings",
        ),
        "multi_fidelity": (
            "archatlas.predictors.families.multi_fidelity:MultiFidelityPredictor",
            "archatlas.predictors.parameters:MultiFidelitySettings",
        ),
        "nasgem": (
            "archatlas.predictors.families.nasgem:NasgemPredictor",
            "archatlas.predictors.families.nasgem:NasgemSettings",
        ),
        "params": (
            "archatlas.predictors.families.simple:ParamsPredictor",
            "archatlas.predictors.parameters:CostSettings",
        ),
        "random_forest": (
            "archatlas.predictors.families.random_forest:RandomForestPredictor",
            "archatlas.predictors.parameters:RandomForestSettings",
        ),
        "ridge": (
            "archatlas.predictors.families.ridge:RidgePredictor",
            "archatlas.predictors.parameters:RidgeSettings",
        ),
        "stack": (
            "archatlas.predictors.families.stack:StackPredictor",
            "archatlas.predictors.parameters:StackSettings",
        ),
        "wl": (
            "archatlas.predictors.families.weisfeiler_lehman:WLPredictor",
            "archatlas.predictors.families.weisfeiler_lehman:WLSettings",
        ),
    },
)
"""Family to class and model of its settings. A new predictor is a file, which may hold both, and a line here."""


def settings_model(name: str) -> type[PredictorSettings]:
    """What the settings of the family ``name`` are; ArchatlasError, with the nearest known name, if there is none."""
    model: type[PredictorSettings] = PREDICTORS.load(name, 1)
    return model


def predictor_settings(name: str, settings: Mapping[str, Any] | None, place: str | None = None) -> PredictorSettings:
    """All settings of the family ``name``, with ``settings`` in the place of its defaults.

    Raises ArchatlasError for an unknown family or setting, with the nearest known name, also of families that it makes.
    It says that settings stand in ``place`` (None: in the family's own section).
    """
    model, section = settings_model(name), place or f"predictor.{name}"
    unknown = sorted(set(settings or {}) - set(model.model_fields))
    if unknown:
        hint = nearest(unknown[0], model.model_fields)
        raise ArchatlasError(f"`{section}`: there is no setting {unknown[0]!r}{hint}")
    try:
        validated = model.model_validate(dict(settings or {}))
    except ValidationError as error:
        first = error.errors()[0]
        setting = ".".join(str(part) for part in first["loc"])
        message = f"`{section}.{setting}`: {first['msg']}, but got {first['input']!r}"
        raise ArchatlasError(message) from error
    for member, given in validated.members.items():
        predictor_settings(member, given)
    return validated


def reads_proxies(name: str, settings: Mapping[str, Any] | None) -> bool:
    """Whether a predictor of the family reads the proxies of a batch, itself or by those that it makes by name."""
    validated = predictor_settings(name, settings)
    return validated.reads_proxies or any(reads_proxies(*member) for member in validated.members.items())
