"""Worker processes that end with the process that started them, and leave signals to it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker

_LOOK_SECONDS = 0.5


def prepare_worker(parent: int) -> None:
    """Make this process end within a second of the death of its parent, which has this number.

    A parent that is asked to stop kills its workers. One that is killed itself cannot, and they would train on for
    nobody. On Linux alone the kernel can tell them (PR_SET_PDEATHSIG), but of the death of the thread that started
    them.
    """
    from tqdm import tqdm

    # Its own lock is one between processes, and whoever outlives a killed worker complains that it was left behind.
    tqdm.set_lock(threading.RLock())

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="end-with-parent").start()


@contextmanager
def signals_left_to_parent() -> Iterator[None]:
    """Processes started in the block never see SIGINT or SIGTERM.

    A terminal sends Ctrl-C to a process and all its children, and each would print a traceback of its own. Blocked
    signals are inherited, and are so from a worker's first instruction; this process gets its own after the block.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # It would unblock them when it starts with the first worker.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
