"""What runs in a worker of a cluster: one task, as it would run beside the process that sent it."""

from __future__ import annotations

import logging
import os
import pickle
import platform
import sys
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from archatlas.engines.ray.identity import difference, identity
from archatlas.storage.keeper import kept_by

_PACKAGE = __name__.partition(".")[0]


@dataclass(frozen=True)
class Order:
    """How a task is to be run.

    Attributes:
        number: of the task, another one each time that it is sent.
        work: function and job, pickled.
        threads: CPU threads that it may use.
        gpus: whether it has one.
        log_level: what its log tells of.
        sender: what is installed where it comes from.
        host: where that is.
    """

    number: int
    work: bytes
    threads: int
    gpus: bool
    log_level: int
    sender: dict[str, str]
    host: str


@dataclass(frozen=True)
class Ended:
    """What became of a task: its pickled result or exception, how long it took, and how many letters it wrote."""

    result: bytes
    seconds: float
    letters: int = 0
    failed: str | None = None
    """The traceback of an exception."""


class OtherCodeError(Exception):
    """A worker has not what the sender had when that began; says so in words."""


def run(order: Order, given: list[Any], post: Any) -> Ended:
    """Run a task; ``given`` holds the reference of what it is given beside its job."""
    letters, begun = _Letters(post, order.number), time.monotonic()
    try:
        other = difference(order.sender, identity())
        if other is not None:
            raise OtherCodeError(_why(other, order.host))
        with _settings(order, letters):
            function, job = pickle.loads(order.work)
            result = pickle.dumps(function(job, *_taken(given[0])), protocol=5)
    except Exception as error:
        letters.end()
        return Ended(_pickled(error), time.monotonic() - begun, letters.count, traceback.format_exc())
    letters.end()
    return Ended(result, time.monotonic() - begun, letters.count)


def _why(other: str, sender: str) -> str:
    if sender == platform.node():
        return (
            f"archatlas was changed on this machine while the run went on: a worker that has started since {other}, "
            "and results must not depend on where they are made. Run the same command again"
        )
    return f"a machine that joined the cluster, or was changed since, cannot do this work: it {other}"


def _pickled(error: Exception) -> bytes:
    from ray import cloudpickle

    try:
        content: bytes = cloudpickle.dumps(error)  # type: ignore[no-untyped-call]
        pickle.loads(content)
    except Exception:  # Some lack what they were made with.
        content = pickle.dumps(RuntimeError(f"{type(error).__name__}: {error}"))
    return content


_beside = ThreadPoolExecutor(1, "archatlas-waiting")


def _got(reference: Any) -> Any:
    """What a reference stands for, waited for in another thread.

    A task that waits in the main thread gives its CPUs back meanwhile, and Ray starts another one on them: there would
    be more at a time than anybody asked for, in processes and memory of their own.
    """
    import ray

    return _beside.submit(ray.get, reference).result()


_last_given: tuple[str, Any] = ("", None)
"""What tasks of one kind have in common is made of the object store's bytes once in each process."""


def _taken(reference: Any) -> Any:
    global _last_given
    name = reference.hex()
    if _last_given[0] != name:
        _last_given = ("", None)  # Its memory is free before the next one's is taken.
        _last_given = (name, _got(reference))
    return _last_given[1]


@contextmanager
def _settings(order: Order, letters: _Letters) -> Iterator[None]:
    """Threads, device, work stores and log of a task."""
    if not order.gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    _use_threads(order.threads)
    with ExitStack() as settings:
        settings.enter_context(kept_by(_SentHome(letters)))
        settings.enter_context(_log_sent_home(letters, order.log_level))
        yield


_threads_now = 0


def _use_threads(threads: int) -> None:
    """As many threads in all libraries that are loaded, and in those that will be."""
    global _threads_now
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)
    if threads != _threads_now:
        from threadpoolctl import threadpool_limits

        threadpool_limits(threads)
        _threads_now = threads
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)


class _Letters:
    """What a task writes to its sender, one letter after the other."""

    def __init__(self, post: Any, number: int) -> None:
        self._post, self._number = post, number
        self._under_way: Any = None
        self.count = 0

    def send(self, what: str, *about: Any) -> None:
        """Send a letter once the one before has arrived: no more than one waits here."""
        self.end()
        self._under_way = self._post.send.remote((self._number, what, about))
        self.count += 1

    def ask(self, what: str, *about: Any) -> Any:
        """Send a letter and wait for the answer; an error that the sender had is raised here."""
        self.end()
        self.count += 1
        answer = _got(self._post.ask.remote(uuid4().hex, (self._number, what, about)))
        if isinstance(answer, Exception):
            raise answer
        return answer

    def end(self) -> None:
        """Wait until the last letter has arrived."""
        if self._under_way is not None:
            _got(self._under_way)
            self._under_way = None


class _SentHome:
    """Keeps files with the process that sent the task (:class:`archatlas.storage.keeper.Keeper`)."""

    def __init__(self, letters: _Letters) -> None:
        self._letters = letters

    def read(self, path: Path) -> bytes:
        content: bytes = self._letters.ask("read", path)
        return content

    def write(self, path: Path, content: bytes) -> None:
        self._letters.send("write", path, content)

    def discard(self, folder: Path) -> None:
        self._letters.send("discard", folder)

    def names(self, folder: Path) -> list[str]:
        names: list[str] = self._letters.ask("names", folder)
        return names


class _LogHandler(logging.Handler):
    def __init__(self, letters: _Letters) -> None:
        super().__init__()
        self._letters = letters

    def emit(self, record: logging.LogRecord) -> None:
        # Only text travels: arguments of a message may be anything.
        told = logging.Formatter().format(record)
        self._letters.send("log", record.name, record.levelno, told)


@contextmanager
def _log_sent_home(letters: _Letters, level: int) -> Iterator[None]:
    logger, handler = logging.getLogger(_PACKAGE), _LogHandler(letters)
    logger.setLevel(level)
    logger.propagate = False
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
