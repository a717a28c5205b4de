"""Pages are shown to others: of a path on this machine they keep the last part."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

_HIDDEN = "..."


def without_places(text: str) -> str:
    """``.../cats`` for ``/home/someone/cats``; what is no absolute path stays as it is."""
    for kind in (PurePosixPath, PureWindowsPath):
        path = kind(text)
        if path.is_absolute() or text.startswith("~"):
            return f"{_HIDDEN}/{path.name}" if path.name and not path.name.startswith("~") else _HIDDEN
    return text


def value_without_places(value: Any) -> Any:
    """A value of a JSON document whose texts, at any depth, are ``without_places``."""
    if isinstance(value, Mapping):
        return {key: value_without_places(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [value_without_places(inner) for inner in value]
    return without_places(value) if isinstance(value, str) else value


def command_without_places(command: str) -> str:
    """A command line whose arguments, and values in ``--params key=value,key=value``, are ``without_places``."""
    return shlex.join(_argument(argument) for argument in shlex.split(command))


def _argument(argument: str) -> str:
    parts = re.split(r"([=,])", argument)
    return "".join(part if part in ("=", ",") else without_places(part) for part in parts)
