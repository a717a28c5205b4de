"""Parameters as configured, and what a schedule has in their place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel

Parameters = TypeVar("Parameters", bound=BaseModel)


def scheduled(parameters: Parameters, schedule: Mapping[str, Any] | None) -> Parameters:
    """``parameters`` with the fields that the schedule names, level by level, in the place of their own."""
    if not schedule:
        return parameters
    return parameters.model_validate(_merged(parameters.model_dump(), schedule))


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, value in over.items():
        below = base.get(name)
        merged[name] = _merged(below, value) if isinstance(value, Mapping) and isinstance(below, Mapping) else value
    return merged
