"""Worker processes that end with the process that started them, and leave signals to it."""

from __future__ import annotations

import logging
import os
import re
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import Any, TypeAlias, TypeVar

from archatlas.errors import ArchatlasError
from archatlas.storage.large_arrays import array_bytes, folder_for

Result = TypeVar("Result")

LogFormat: TypeAlias = tuple[str, str | None, int]

_PACKAGE = __name__.partition(".")[0]
_LOOK_SECONDS = 0.5
_NO_NEWS = "ignore:resource_tracker"


@contextmanager
def in_processes(
    function: Callable[..., Result], jobs: Iterable[Any], *given: Any, workers: int, threads: int = 1
) -> Iterator[Iterator[Result]]:
    """``function(job, *given)`` of every job, as they end, by processes of so many threads; they end with the block.

    Everything given and returned is pickled. Large NumPy arrays among what is given are shared: in memory, or in
    temporary files where they would take too much of it. ::

        with in_processes(train_one, jobs, images, workers=4) as results:
            for result in results: ...

    Raises ArchatlasError if a process was ended from outside, as systems do where memory runs out.
    """
    import joblib
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    # One whose memory has grown (kernels of networks of many shapes) begins anew, and its jobs are done all the same.
    warnings.filterwarnings("ignore", message="A worker stopped while some jobs were given")
    asked = {"backend": "loky", "inner_max_num_threads": threads, "initializer": _begin}
    # By itself joblib takes memory for them where that is large enough today, or what this variable says.
    folder = None if "JOBLIB_TEMP_FOLDER" in os.environ else folder_for(array_bytes(given))
    with joblib.parallel_config(**asked, initargs=(os.getpid(), log_format(), folder)):
        parallel = joblib.Parallel(n_jobs=workers, return_as="generator_unordered", batch_size=1, temp_folder=folder)
        results: Generator[Result] | None = None
        try:
            with signals_left_to_parent():
                results = parallel(joblib.delayed(function)(job, *given) for job in jobs)
            yield results
        except TerminatedWorkerError as error:
            raise killed_worker(workers, "device.workers", told=str(error)) from error
        finally:
            _end(results)


def _begin(parent: int, told: LogFormat | None, _folder: str | None) -> None:
    """Of a worker. Workers that were begun alike are used again, with the folder for arrays that they began with."""
    prepare_worker(parent, told)


def killed_worker(count: int, *parameters: str, told: str) -> ArchatlasError:
    """What to say of one of ``count`` workers, as the ``parameters`` have it, that a library ``told`` to be killed."""
    signals = sorted(set(re.findall(r"SIG[A-Z]+", told)))
    how = f" ({', '.join(signals)})" if signals else ""
    asked = " or ".join(f"`{parameter}`" for parameter in parameters)
    return ArchatlasError(
        f"one of {count} worker processes was killed{how}, mostly a sign that memory ran out: set {asked} to "
        f"{max(1, count // 2)}, or close what else takes memory, and run the same command again. What was finished is "
        "kept."
    )


def _end(results: Generator[Any] | None) -> None:
    """Kill the workers if they have not finished."""
    if results is not None:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*(not used|have been cancelled)", category=UserWarning)
            results.close()


def prepare_worker(parent: int, log_format: LogFormat | None = None) -> None:
    """Make this process look twice a second whether its parent, which has this number, lives, and end if not.

    With ``log_format`` it logs to stderr, with lines that look as the parent's.

    A parent that is asked to stop kills its workers. One that is killed itself cannot, and they would train on for
    nobody. On Linux alone the kernel can tell them (PR_SET_PDEATHSIG), but of the death of the thread that started
    them.
    """
    from tqdm import tqdm

    # Its own lock is one between processes, and whoever outlives a killed worker complains that it was left behind.
    tqdm.set_lock(threading.RLock())
    if log_format is not None:
        logging.basicConfig(format=log_format[0], datefmt=log_format[1])
        logging.getLogger(_PACKAGE).setLevel(log_format[2])

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="end-with-parent").start()


def log_format() -> LogFormat | None:
    """Format, format of dates and level of this process's log; None if it has none."""
    formatters = [handler.formatter for handler in logging.getLogger().handlers if handler.formatter is not None]
    if not formatters:
        return None
    return (
        formatters[0]._fmt or logging.BASIC_FORMAT,
        formatters[0].datefmt,
        logging.getLogger(_PACKAGE).getEffectiveLevel(),
    )


@contextmanager
def signals_left_to_parent() -> Iterator[None]:
    """Processes started in the block never see SIGINT or SIGTERM.

    A terminal sends Ctrl-C to a process and all its children, and each would print a traceback of its own. Blocked
    signals are inherited, and are so from a worker's first instruction; this process gets its own after the block.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # It would unblock them when it starts with the first worker. That it gives back what killed ones held is no news.
    sys.warnoptions.append(_NO_NEWS)
    resource_tracker.ensure_running()
    sys.warnoptions.remove(_NO_NEWS)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
