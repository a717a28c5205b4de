"""A search method by its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from archatlas.errors import ArchatlasError
from archatlas.systems.problem import Method
from archatlas.systems.registry import METHODS
from archatlas.systems.settings import require_settings


def make_method(name: str, settings: Mapping[str, Any]) -> Method:
    """The method ``name``; ArchatlasError for one that there is not, or for the first of its settings that is wrong."""
    kind = METHODS.load(name)
    try:
        require_settings({name: settings})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place, rule = ".".join(map(str, first["loc"])), first["msg"].removeprefix("Value error, ")
        raise ArchatlasError(f"`methods.{place}`: {rule} (given: {dict(settings)})") from error
    method: Method = kind(**settings)
    return method
