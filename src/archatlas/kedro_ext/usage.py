"""What a node takes: when it started, how long it ran, and how much memory at its peak."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import psutil

_MIB = 2**20


@dataclass(frozen=True)
class NodeUsage:
    """``started`` is a moment in UTC (ISO 8601); memory is resident, of this process and its children together."""

    started: str
    seconds: float
    peak_memory_mib: float


class UsageMeter:
    """Measures from its making to :meth:`stop`; :attr:`usage` is what has been used until now, or until the stop.

    A thread samples the resident memory. It rests 200 times as long as a sample takes, and at least 0.2 s, so that it
    takes no more than half a percent of a core, however many processes the machine has.
    """

    def __init__(self) -> None:
        self._started = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._begun = time.perf_counter()
        self._process = psutil.Process()
        self._peak = 0
        self._final: NodeUsage | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True, name="peak-memory")
        self._sample()
        self._thread.start()

    @property
    def usage(self) -> NodeUsage:
        if self._final is not None:
            return self._final
        seconds = time.perf_counter() - self._begun
        self._sample()
        return NodeUsage(self._started, round(seconds, 3), round(self._peak / _MIB, 1))

    def stop(self) -> None:
        """Fix :attr:`usage` and end the thread; stopping twice does nothing."""
        self._over.set()
        self._thread.join()
        self._final = self.usage

    def _watch(self) -> None:
        rest = 0.2
        while not self._over.wait(rest):
            begun = time.perf_counter()
            self._sample()
            rest = max(0.2, 200 * (time.perf_counter() - begun))

    def _sample(self) -> None:
        total = 0
        for process in [self._process, *self._process.children(recursive=True)]:
            try:
                total += process.memory_info().rss
            except psutil.Error:  # A child that has just ended takes no memory.
                continue
        self._peak = max(self._peak, total)


@contextmanager
def measured() -> Iterator[UsageMeter]:
    """Measure a block: after it, however it ended, the meter's ``usage`` is what the block took."""
    meter = UsageMeter()
    try:
        yield meter
    finally:
        meter.stop()
