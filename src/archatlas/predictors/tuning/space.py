"""What a tuning study may choose from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from archatlas.predictors.fitting import Contender
from archatlas.predictors.parameters import PredictorParameters, Tuned
from archatlas.predictors.registry import predictor_settings, settings_model

if TYPE_CHECKING:
    import optuna


def suggest(trial: optuna.Trial, families: Sequence[str]) -> dict[str, Any]:
    """Ask the trial for a family and its settings, named ``<family>.<setting>``."""
    family = trial.suggest_categorical("family", list(families))
    asked: dict[str, Any] = {"family": family}
    for setting, values in settings_model(family).tuned.items():
        name = f"{family}.{setting}"
        if isinstance(values, list):
            asked[name] = trial.suggest_categorical(name, values)
        elif isinstance(values[0], int):
            asked[name] = trial.suggest_int(name, values[0], values[1], log=values[2])
        else:
            asked[name] = trial.suggest_float(name, values[0], values[1], log=values[2])
    return asked


def contender_of(asked: Mapping[str, Any], parameters: PredictorParameters) -> Contender:
    """The family and all its settings: what was asked for, over the configured ones."""
    family = str(asked["family"])
    settings = _configured(parameters, family)
    settings |= {name.partition(".")[2]: value for name, value in asked.items() if name.startswith(f"{family}.")}
    return family, settings


def defaults(parameters: PredictorParameters, families: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What is tried before anything is searched for, by name: the variants of each family that it says to try first."""
    asked: dict[str, dict[str, Any]] = {}
    for family in families:
        model, configured = settings_model(family), _configured(parameters, family)
        for name, changed in (model.tried_first or {family: {}}).items():
            settings = configured | dict(changed)
            asked[name] = {"family": family} | {
                f"{family}.{setting}": _inside(settings[setting], values) for setting, values in model.tuned.items()
            }
    return asked


def _configured(parameters: PredictorParameters, family: str) -> dict[str, Any]:
    return predictor_settings(family, parameters.settings_of(family)).model_dump()


def _inside(value: Any, values: Tuned) -> Any:
    """The configured value, or the nearest that the study can express."""
    if isinstance(values, tuple):
        return min(max(value, values[0]), values[1])
    if value in values or isinstance(value, str):
        return value
    return min(values, key=lambda known: abs(known - value))
