"""What settings of search methods may be: the fields of their data classes. As light as these are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from functools import partial
from typing import Annotated, Any, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidatorFunctionWrapHandler, WrapValidator, create_model

from archatlas.errors import ArchatlasError, nearest
from archatlas.systems.registry import METHODS

_AS_GIVEN = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
"""Settings are used as they were given: a whole number may stand for any, and nothing else for what it is not."""


def require_settings(given: Mapping[str, Mapping[str, Any]]) -> None:
    """Check settings of methods, by the method's name: each is of its field's type, choices and bounds.

    Raises:
        ValidationError: with the nearest known name of what is unknown, and what a class says of its fields together;
            located from ``settings`` on, where these stand in ``methods``.
    """
    of_each: dict[str, Any] = {name: (_settings_type(METHODS.load(name, -1)), ...) for name in given}
    create_model("methods", settings=(create_model("settings", **of_each), ...)).model_validate({"settings": given})


def _settings_type(kind: type[Any]) -> Any:
    hints = get_type_hints(kind, include_extras=True)
    each: dict[str, Any] = {one.name: (hints[one.name], None) for one in fields(kind)}
    model: Any = create_model(kind.__name__, __config__=_AS_GIVEN, **each)
    return Annotated[model, WrapValidator(partial(_require, kind))]


def _require(kind: type[Any], given: Any, each: ValidatorFunctionWrapHandler) -> BaseModel:
    known = [one.name for one in fields(kind)]
    for setting in given:
        if setting not in known:
            raise ValueError(f"there is no setting {setting!r}{nearest(setting, known)}")
    checked: BaseModel = each(given)
    try:
        kind(**given)
    except ArchatlasError as error:
        raise ValueError(str(error)) from error
    return checked
