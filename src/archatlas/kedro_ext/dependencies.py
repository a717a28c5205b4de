"""What a node depends on beside its inputs and its code, said by its function."""

from __future__ import annotations

import os
import platform
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

_Function = TypeVar("_Function", bound=Callable[..., Any])
_NAME = "__depends_on__"
_TRIED = "__tried_ahead__"


FilesOf = Callable[[Mapping[str, Any]], Iterable[Path]]
"""From a node's parameters (by their names, as plain data) to files or folders that its function reads."""
StateOf = Callable[[Mapping[str, Any]], Any]
"""From the same to a state that what its function makes depends on, plain data."""


@dataclass(frozen=True)
class Dependencies:
    """What says which files or folders the function reads, and functions that tell of a state."""

    files: tuple[str | FilesOf, ...] = ()
    states: tuple[StateOf, ...] = ()
    optional: tuple[str, ...] = ()


def depends_on(
    *,
    files: tuple[str | FilesOf, ...] = (),
    states: tuple[StateOf, ...] = (),
    optional: tuple[str, ...] = (),
) -> Callable[[_Function], _Function]:
    """Declare that a node's function reads files that parameters name, depends on the machine, or can do without.

    ``files`` are dotted names such as ``"images.path"`` (the field ``path`` of the node's input ``params:images``;
    a parameter that is None names no file, and ``~`` is the user's home), or functions for files whose place is no
    parameter. Such a function leaves out what is not there: the node says what it misses. ``states`` are functions of
    the parameters whose results, plain data, count. ``optional`` are patterns (of fnmatch) of arguments that the
    function does without where nothing has made them yet (:mod:`archatlas.kedro_ext.optional_inputs`).
    """

    def declare(function: _Function) -> _Function:
        setattr(function, _NAME, Dependencies(files, states, optional))
        return function

    return declare


def tried_ahead(function: _Function) -> _Function:
    """Declare that a node's function takes no time and leaves nothing but its outputs, as a check or a plan does.

    To say what a run would do, it may be called: what comes out as before lets nodes that read it stand.
    """
    setattr(function, _TRIED, True)
    return function


def is_tried_ahead(function: Callable[..., Any]) -> bool:
    """Whether the function was declared so."""
    return bool(getattr(function, _TRIED, False))


def machine(parameters: Mapping[str, Any] | None = None) -> list[str | int | None]:
    """The processor and its cores, whatever the parameters: what a measured time is true of."""
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


def files_read(declared: Dependencies, parameters: Mapping[str, Any]) -> Iterator[tuple[str, Path]]:
    """The declared files, each with what it is called where it is told that it changed.

    ``parameters`` are the node's inputs ``params:...``, as plain data. Files that a function finds are called by their
    own names, so that here it does not count where they lie (a parameter that says so counts as parameters do); those
    of one name are numbered.
    """
    named: Counter[str] = Counter()
    for one in declared.files:
        if isinstance(one, str):
            path = named_path(parameters, one)
            if path is not None:
                yield f"files under the parameter {one}", path
        else:
            for path in one(_by_their_names(parameters)):
                named[path.name] += 1
                yield path.name if named[path.name] == 1 else f"{path.name} ({named[path.name]})", path


def states_of(declared: Dependencies, parameters: Mapping[str, Any]) -> list[Any]:
    """The declared states; ``parameters`` as for :func:`files_read`."""
    return [state(_by_their_names(parameters)) for state in declared.states]


def _by_their_names(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {name.removeprefix("params:"): value for name, value in parameters.items()}


def named_path(parameters: Mapping[str, Any], dotted: str) -> Path | None:
    """The path that a dotted parameter holds; None if it, or what is above it, is None or not among the parameters."""
    first, *rest = dotted.split(".")
    value = parameters.get(f"params:{first}")
    for part in rest:
        value = value.get(part) if isinstance(value, Mapping) else None
    # A reader that takes `~` for the home would otherwise read files of which nobody knows.
    return None if value is None else Path(str(value)).expanduser()
