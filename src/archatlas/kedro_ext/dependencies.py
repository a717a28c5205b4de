"""What a node depends on beside its inputs and its code, said by its function."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

_Function = TypeVar("_Function", bound=Callable[..., Any])
_NAME = "__depends_on__"


@dataclass(frozen=True)
class Dependencies:
    """Dotted parameters that name files or folders which the function reads, and functions that tell of a state."""

    files: tuple[str, ...] = ()
    states: tuple[Callable[[], Any], ...] = ()


def depends_on(
    *, files: tuple[str, ...] = (), states: tuple[Callable[[], Any], ...] = ()
) -> Callable[[_Function], _Function]:
    """Declare that a node's function reads files that parameters name, or depends on the state of the machine.

    ``files`` are dotted names such as ``"images.path"`` (the field ``path`` of the node's input ``params:images``); a
    parameter that is None names no file. ``states`` are functions without arguments whose results, plain data, count.
    """

    def declare(function: _Function) -> _Function:
        setattr(function, _NAME, Dependencies(files, states))
        return function

    return declare


def machine() -> list[str | int | None]:
    """The processor and its cores: what a measured time is true of."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return [named[0] if named else platform.processor() or platform.machine(), os.cpu_count()]


def dependencies_of(function: Callable[..., Any]) -> Dependencies:
    """What the function declared."""
    declared: Dependencies = getattr(function, _NAME, Dependencies())
    return declared


def named_path(parameters: Mapping[str, Any], dotted: str) -> Path | None:
    """The path that a dotted parameter holds; None if it, or what is above it, is None or not among the parameters."""
    first, *rest = dotted.split(".")
    value = parameters.get(f"params:{first}")
    for part in rest:
        value = value.get(part) if isinstance(value, Mapping) else None
    return None if value is None else Path(str(value))
