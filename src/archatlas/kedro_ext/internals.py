"""What of Kedro is private and yet needed: named here alone, since another minor version may change it.

`pyproject.toml` bounds Kedro's minor version for this file's sake.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from contextvars import ContextVar
from functools import wraps
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from kedro.framework.session import KedroServiceSession, KedroSession
from kedro.io import Version

if TYPE_CHECKING:
    from kedro.framework.context import KedroContext
    from kedro.pipeline.node import Node

_NOTHING_TO_RUN = ("Failed to find the pipeline", "does not contain", "contains no nodes", "not found in the")
"""What Kedro's messages say where a command asks for what there is not: it has no class of errors for that."""

_run: ContextVar[ExitStack] = ContextVar("_run")
"""What is to be done at the end of the session's run that is under way in this thread."""


def lies_in_file(dataset: Any) -> bool:
    """Whether the data set has a file or folder of its own."""
    return hasattr(dataset, "_filepath")


def place_of(dataset: Any) -> Path:
    """The file or folder of a data set, without its version."""
    return Path(dataset._filepath)


def local_place_of(dataset: Any) -> Path | None:
    """The same; None for a data set that keeps its content elsewhere than on this machine."""
    if getattr(dataset, "_protocol", "file") not in ("file", ""):
        return None
    place = getattr(dataset, "_filepath", None) or getattr(dataset, "_path", None)
    return None if place is None else Path(place)


def put_at(dataset: Any, file: Path) -> None:
    """Let the data set save there, without versions."""
    dataset._filepath, dataset._version = PurePosixPath(file), None


def has_versions(dataset: Any) -> bool:
    """Whether a data set that could have versions has them."""
    return dataset._version is not None


def version_file(dataset: Any, version: str) -> Path:
    """Where a version lies."""
    return Path(dataset._get_versioned_path(version))


def load_from(dataset: Any, version: str | None) -> None:
    """Load this version from now on, or the newest for None; saving goes on as before."""
    dataset._version = Version(version, dataset._version.save)
    dataset._cached_load_version = None


def is_in_memory(dataset: Any) -> bool:
    """Whether what it holds ends with the process."""
    return bool(getattr(dataset, "_EPHEMERAL", False))


def made_with(dataset: Any) -> dict[str, Any]:
    """The arguments that a data set was made with."""
    given: dict[str, Any] = dataset._init_config()
    return given


def written_inputs(node: Node) -> Any:
    """A node's inputs as its pipeline wrote them: a name, a list of names, or names by argument."""
    return node._inputs


def with_inputs(node: Node, inputs: dict[str, str]) -> Node:
    """The same node with these inputs by argument."""
    return node._copy(inputs=inputs)


def catalog_of(context: KedroContext, session_id: str, load_versions: dict[str, str] | None) -> Any:
    """The catalog of a run with this session's name and these versions."""
    return context._get_catalog(save_version=session_id, load_versions=load_versions)


def asks_for_nothing(error: BaseException) -> bool:
    """Whether Kedro's error says that a command asks for what there is not."""
    return any(words in str(error) for words in _NOTHING_TO_RUN)


def know_ends_of_runs() -> None:
    """Let :func:`at_end_of_run` work from now on, in the runs of all sessions, whoever makes them and how.

    Kedro calls no hook after a KeyboardInterrupt, nor after another hook's error before the run. A session of our own
    (``SESSION_CLASS``) would serve its commands, but not those who write ``KedroSession.create`` as its manual does.
    """
    for session in (KedroSession, KedroServiceSession):
        if not hasattr(session.run, "__wrapped__"):
            session.run = _with_end(session.run)  # type: ignore[method-assign]


def _with_end(run: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(run)
    def with_end(*args: Any, **options: Any) -> Any:
        with ExitStack() as at_end:
            at_end.callback(_run.reset, _run.set(at_end))
            return run(*args, **options)

    return with_end


def at_end_of_run(call: Callable[[], object]) -> None:
    """Call this when the session's run that called the hook is over, in whatever way it ends."""
    _run.get().callback(call)
