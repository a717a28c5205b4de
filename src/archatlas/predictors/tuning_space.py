"""What a tuning study may choose from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from archatlas.predictors.fitting import Contender
from archatlas.predictors.parameters import PredictorParameters

if TYPE_CHECKING:
    import optuna

_TRANSFORMS = ["quantile", "raw"]
_SPACES: dict[str, dict[str, tuple[Any, ...] | list[Any]]] = {
    # A list is a choice; a tuple is (low, high, is logarithmic), of integers if low is one.
    "gcn": {
        "width": [8, 16, 32],
        "depth": (1, 3, False),
        "dropout": [0.0, 0.3, 0.5],
        "weight_decay": (1e-3, 3.0, True),
        "learning_rate": (5e-3, 5e-2, True),
        "epochs": [75, 150],
        "ensemble": [3, 5, 8],
        "loss": ["mse", "hinge", "listwise"],
        "pooling": ["mean", "sum"],
        "additive": ["beside", "none", "residual"],
        "additive_features": ["both", "stage_counts", "one_hot"],
        "transform": _TRANSFORMS,
    },
    "flow": {
        "width": [24, 48],
        "weight_decay": (0.1, 3.0, True),
        "learning_rate": (3e-3, 3e-2, True),
        "epochs": [75, 150],
        "loss": ["hinge", "mse"],
        "costs": [True, False],
        "transform": _TRANSFORMS,
    },
    "stack": {"transform": _TRANSFORMS},
    "ridge": {"features": ["one_hot", "stage_counts"], "transform": _TRANSFORMS},
    "lightgbm": {
        "trees": [75, 150, 300],
        "leaves": (3, 31, True),
        "learning_rate": (0.02, 0.2, True),
        "min_leaf": (3, 40, True),
        "transform": _TRANSFORMS,
    },
    "gp": {"spread": [0.5, 1.0, 3.0], "costs": [True, False], "transform": _TRANSFORMS},
}


def suggest(trial: optuna.Trial, families: Sequence[str]) -> dict[str, Any]:
    """Ask the trial for a family and its settings, named ``<family>.<setting>``."""
    family = trial.suggest_categorical("family", list(families))
    asked: dict[str, Any] = {"family": family}
    for setting, values in _SPACES[family].items():
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
    settings = getattr(parameters, family).model_dump()
    settings |= {name.partition(".")[2]: value for name, value in asked.items() if name.startswith(f"{family}.")}
    return family, settings


def defaults(parameters: PredictorParameters, families: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What is tried before anything is searched for, by name: each family as configured, and both ridges.

    Beside the configured GCN stands one without the additive path on raw scores: the most shrunken model of the family.
    """
    variants: dict[str, tuple[str, dict[str, Any]]] = {
        "gcn": ("gcn", {}),
        "gcn_alone": ("gcn", {"additive": "none", "transform": "raw", "depth": 1}),
        "ridge": ("ridge", {"features": "one_hot"}),
        "ridge_stage_counts": ("ridge", {"features": "stage_counts"}),
        "gp": ("gp", {}),
        "flow": ("flow", {}),
        "stack": ("stack", {}),
        "lightgbm": ("lightgbm", {}),
    }
    asked: dict[str, dict[str, Any]] = {}
    for name, (family, changed) in variants.items():
        if family in families:
            configured = getattr(parameters, family).model_dump() | changed
            asked[name] = {"family": family} | {
                f"{family}.{setting}": _inside(configured[setting], values)
                for setting, values in _SPACES[family].items()
            }
    return asked


def _inside(value: Any, values: tuple[Any, ...] | list[Any]) -> Any:
    """The configured value, or the nearest that the study can express."""
    if isinstance(values, tuple):
        return min(max(value, values[0]), values[1])
    if value in values or isinstance(value, str):
        return value
    return min(values, key=lambda known: abs(known - value))
