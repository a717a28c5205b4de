"""Independent tasks, run by whichever engine is in use: processes of this machine, unless somebody says otherwise.

The engine is no argument of what asks for tasks and no parameter of a node: no result depends on it, so another engine
makes nothing run again, and work begun by one is gone on with by another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

Result = TypeVar("Result")


@dataclass(frozen=True)
class Shares:
    """How much goes on at a time.

    Attributes:
        workers: tasks side by side.
        threads: CPU threads of each, over all processes that it may start.
        here: whether they run in this process, one after the other and with its threads.
    """

    workers: int
    threads: int
    here: bool = False


class Engine(Protocol):
    """Who runs tasks."""

    @property
    def accelerator(self) -> Literal["cpu", "cuda"] | None:
        """What all of its tasks run on; None: what this machine has."""

    def shares(self, jobs: int, *, threads: int | None) -> Shares | None:
        """How so many tasks are shared out, each with so many threads, or with as many as the engine gives (None).

        None where that is for this machine to say, by its cores and ``device``.
        """

    def side_by_side(
        self, function: Callable[..., Result], jobs: Iterable[Any], given: tuple[Any, ...], shares: Shares
    ) -> AbstractContextManager[Iterator[Result]]:
        """As :func:`side_by_side`, for shares that are not here."""


@contextmanager
def side_by_side(
    function: Callable[..., Result], jobs: Iterable[Any], *given: Any, shares: Shares
) -> Iterator[Iterator[Result]]:
    """``function(job, *given)`` of every job, as they end; what has not ended is stopped when the block is left.

    Everything given and returned is pickled, and arrays may be read-only; large NumPy arrays among what is given travel
    once to each machine. A :class:`~archatlas.storage.work_store.WorkStore` is that of this process wherever the
    function runs, and lines of its log arrive here. ::

        with side_by_side(train_one, jobs, images, shares=shares) as results:
            for result in results: ...

    An exception of the function is raised here. Raises ArchatlasError if workers were ended from outside, as systems do
    where memory runs out, more often than the engine puts up with.
    """
    if shares.here:
        yield (function(job, *given) for job in jobs)
    else:
        with _engine.side_by_side(function, jobs, given, shares) as results:
            yield results


class LocalEngine:
    """Processes of this machine."""

    accelerator = None

    def shares(self, jobs: int, *, threads: int | None) -> Shares | None:
        return None

    @contextmanager
    def side_by_side(
        self, function: Callable[..., Result], jobs: Iterable[Any], given: tuple[Any, ...], shares: Shares
    ) -> Iterator[Iterator[Result]]:
        from archatlas.engines.processes import in_processes

        with in_processes(function, jobs, *given, workers=shares.workers, threads=shares.threads) as results:
            yield results


_engine: Engine = LocalEngine()


def current_engine() -> Engine:
    """The engine that is in use."""
    return _engine


def shares_or_here(jobs: int, *, threads: int | None) -> Shares:
    """How an engine with machines of its own shares tasks out; without one they run here, one after the other.

    The engine is not asked where there is nothing to do: it might have to reach its machines.
    """
    shares = _engine.shares(jobs, threads=threads) if jobs else None
    return shares or Shares(1, 0, here=True)


@contextmanager
def using(engine: Engine) -> Iterator[None]:
    """Have tasks run by this engine within the block, whoever asks for them and in which thread."""
    global _engine
    before, _engine = _engine, engine
    try:
        yield
    finally:
        _engine = before
