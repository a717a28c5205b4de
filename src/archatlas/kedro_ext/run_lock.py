"""One run at a time in one folder: a second stops at once and says who holds it."""

from __future__ import annotations

import json
import os
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout
from kedro.framework.hooks import hook_impl
from kedro.io import DatasetError

if TYPE_CHECKING:
    from kedro.io import CatalogProtocol


class RunLockHook:
    """Hold a lock in the folder of ``folder_dataset`` while a run lasts.

    The lock is the operating system's, so that a process that dies gives it back by dying.
    """

    def __init__(self, folder_dataset: str) -> None:
        self._dataset = folder_dataset
        self._lock: FileLock | None = None

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, catalog: CatalogProtocol[Any, Any]) -> None:
        if self._dataset in catalog:
            self._lock = take_lock(catalog.load(self._dataset))

    @hook_impl
    def after_pipeline_run(self) -> None:
        self._release()

    @hook_impl
    def on_pipeline_error(self) -> None:
        self._release()

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None


def take_lock(folder: Path) -> FileLock:
    """The lock of ``folder``, taken; raises DatasetError naming who holds it (host, process, since when)."""
    holder = folder / "run.lock.json"
    lock = FileLock(folder / "run.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        try:
            who = json.loads(holder.read_text())
            held = f"process {who['process']} on {who['host']} since {who['since']}"
        except (OSError, ValueError, KeyError):
            held = "another process"
        raise DatasetError(
            f"{folder} is in use by {held}. Wait for that run to end, or start this one with "
            "`--params experiment=OTHER_NAME`."
        ) from None
    since = datetime.now(UTC).isoformat(timespec="seconds")
    holder.write_text(json.dumps({"host": socket.gethostname(), "process": os.getpid(), "since": since}))
    return lock
