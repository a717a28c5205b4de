"""One run at a time in one folder: a second stops at once and says who holds it.

The lock lies beside the folder, so that to delete the folder while a run lasts takes no lock away.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from filelock import FileLock, Timeout
from kedro.framework.hooks import hook_impl
from kedro.io import DatasetError

from archatlas.kedro_ext import stop
from archatlas.kedro_ext.internals import at_end_of_run, know_ends_of_runs

if TYPE_CHECKING:
    from kedro.io import CatalogProtocol

_SAY_SECONDS = 1.0
"""How long to wait for whoever has just taken the lock to say who it is."""

_LOOK_SECONDS = 0.5
"""How often it is looked whether the lock's file still stands."""


class RunLockHook:
    """Hold the lock of ``folder_dataset``'s folder while a run lasts.

    A lock whose file was deleted is taken again. If another process was quicker the run stops, for two would write into
    one folder: at once where signals stop it (:mod:`archatlas.kedro_ext.stop`), else before its next node.

    The lock is the operating system's, so that a process that dies gives it back by dying. A process that lives on (a
    notebook) gives it back however its run ends, for which Kedro has no hook
    (:func:`archatlas.kedro_ext.internals.at_end_of_run`).
    """

    def __init__(self, folder_dataset: str) -> None:
        self._dataset = folder_dataset
        self._kept: dict[int, _Kept] = {}
        know_ends_of_runs()

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, catalog: CatalogProtocol[Any, Any]) -> None:
        if self._dataset in catalog:
            # Each session has a catalog of its own; several may run side by side, on different folders.
            self._kept[id(catalog)] = _Kept(take_lock(catalog.load(self._dataset)))
            at_end_of_run(lambda: self._kept.pop(id(catalog)).release())

    @hook_impl
    def before_node_run(self, catalog: CatalogProtocol[Any, Any]) -> None:
        if (kept := self._kept.get(id(catalog))) is not None:
            kept.lock.keep()


class RunLock:
    """The lock of a folder, taken."""

    def __init__(self, folder: Path, lock: FileLock) -> None:
        self._folder = folder
        self._lock = lock
        self._file = _identity(lock_file(folder))
        self._lost = ""
        self._releasing = threading.Lock()

    def release(self) -> None:
        """Give the lock back, from any thread; giving it back twice does nothing."""
        with self._releasing:
            if self._lock.is_locked:
                with suppress(OSError):  # A holder without a lock does no harm.
                    if self._stands():
                        _holder_file(self._folder).unlink(missing_ok=True)
                self._lock.release()

    def keep(self) -> None:
        """Take the lock again if its file was deleted; raises DatasetError if another process has taken it."""
        with self._releasing:
            if self._lock.is_locked and not self._stands():
                # The lock on a deleted file keeps nobody out.
                self._lock.release()
                self._take_again()
            if self._lost:
                raise DatasetError(self._lost)

    def _take_again(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            again = take_lock(self._folder)
            self._lock, self._file = again._lock, again._file
        except DatasetError as refusal:
            self._lost = (
                f"{lock_file(self._folder)}, which kept other runs out, was deleted while this one went on, and "
                f"another has begun since: {refusal} What this run had finished is kept."
            )

    def _stands(self) -> bool:
        return _identity(lock_file(self._folder)) == self._file


def lock_file(folder: Path) -> Path:
    """The lock of a folder lies beside it."""
    return folder.parent / f".{folder.name}.lock"


def _holder_file(folder: Path) -> Path:
    return lock_file(folder).with_suffix(".lock.json")


def _identity(file: Path) -> tuple[int, int] | None:
    """What tells a file from another that was put in its place, while somebody has it open; None if there is none."""
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def take_lock(folder: Path) -> RunLock:
    """Take the lock of ``folder``; raises DatasetError naming who holds it (host, process, since when)."""
    # thread_local: another thread than the one that took it may give it back.
    lock, holder = FileLock(lock_file(folder), timeout=0, thread_local=False), _holder_file(folder)
    deadline = time.monotonic() + _SAY_SECONDS
    while True:
        try:
            lock.acquire()
        except Timeout:
            held = _living_holder(holder)
            if held is None and time.monotonic() < deadline:
                time.sleep(0.02)
                continue
            raise DatasetError(
                f"{folder} is in use by {held or 'another process'}. Wait for it to end; a run can start at once under "
                "another name (`--params experiment=OTHER_NAME`)."
            ) from None
        with suppress(OSError):  # On a full disk the lock is as good, and `kedro clean` needs it.
            _say_who(holder)
        return RunLock(folder, lock)


def _say_who(holder: Path) -> None:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    born = psutil.Process().create_time()
    holder.write_text(json.dumps({"host": socket.gethostname(), "process": os.getpid(), "born": born, "since": since}))


def _living_holder(holder: Path) -> str | None:
    """Who holds the lock, unless the file is one that a process left behind when it was killed, or half written."""
    try:
        who = json.loads(holder.read_text())
        if who["host"] == socket.gethostname():
            process = psutil.Process(who["process"])
            # Numbers of processes are given again; the clock that births are told by may be set a little.
            is_another = abs(process.create_time() - who["born"]) > 2
            if is_another or process.status() == psutil.STATUS_ZOMBIE:
                return None
        return f"process {who['process']} on {who['host']} since {who['since']}"
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError, psutil.Error):
        return None


class _Kept:
    """A lock that a thread looks after until it is given back: its file may be deleted while a long node runs."""

    def __init__(self, lock: RunLock) -> None:
        self.lock = lock
        self._released = threading.Event()
        threading.Thread(target=self._look_after, daemon=True, name="run-lock").start()

    def release(self) -> None:
        self._released.set()
        self.lock.release()

    def _look_after(self) -> None:
        while not self._released.wait(_LOOK_SECONDS):
            try:
                self.lock.keep()
            except DatasetError as lost:
                stop.request(str(lost))
                return
            except OSError:  # The folder above is gone and cannot be made: the run will meet that itself.
                continue
