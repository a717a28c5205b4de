"""Leave a run at Ctrl-C or SIGTERM: soon, by the way of an error, and at the second signal at once.

Within :func:`stoppable` a signal raises :class:`StopSignal` in the main thread, and what leaves the block is
:class:`RunStopped`. They are two because what is on the way must let the first pass, and what is outside must see the
second. The first is a KeyboardInterrupt: Kedro's data sets, Optuna, joblib and users' own nodes catch ``Exception``,
and would make a DatasetError or a failed trial of it. The second is an Exception: for no other does Kedro's session
call ``on_pipeline_error``, where locks are given back and manifests closed.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_WORDS = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}
_SAME_SECONDS = 0.2
"""Signals closer to each other than this are one: ``timeout`` sends its signal to the process and to its group."""


class StopSignal(KeyboardInterrupt):
    """SIGINT or SIGTERM, raised in the main thread where it was when the signal came."""

    def __init__(self, number: int) -> None:
        super().__init__(_name(number))
        self.number = number


class RunStopped(Exception):  # noqa: N818 (no error: somebody wanted it so)
    """A run was left because of a signal, or for a ``reason`` (:func:`request`).

    ``exit_code`` is what shells give for a signal (130 for SIGINT, 143 for SIGTERM), and 1 for a reason.
    """

    def __init__(self, number: int, where: str = "", reason: str = "") -> None:
        at = f" at {where}" if where else ""
        super().__init__(
            f"Stopped{at}: {reason}"
            if reason
            else f"Stopped by {_name(number)}{at}. What was finished is kept: run the same command again to go on."
        )
        self.number = number
        self.exit_code = 1 if reason else 128 + number


@contextmanager
def stoppable() -> Iterator[None]:
    """SIGINT and SIGTERM end the block with RunStopped; a second one ends the process at once, as if nobody listened.

    May be nested. Does nothing outside the main thread, where no signal arrives, nor about a signal that this process
    was started to ignore (``nohup``, background jobs of scripts). Afterwards signals do what they did before.
    """
    global _block
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    outermost = _block is None
    block = _block = _block or _Block()
    try:
        if outermost:
            block.listen()
        yield
    except KeyboardInterrupt as interrupt:
        number = interrupt.number if isinstance(interrupt, StopSignal) else signal.SIGINT
        raise RunStopped(number, block.where, block.reason) from interrupt
    finally:
        if outermost:
            block.end()
            _block = None


def entering(where: str) -> None:
    """Say what is done from here on, for the message; raises StopSignal if a signal came and its exception was lost.

    Python drops exceptions in finalisers and in callbacks from C, and a signal may come while one of these runs.
    """
    if _block is not None and threading.current_thread() is threading.main_thread():
        _block.where = where
        if _block.number is not None:
            raise StopSignal(_block.number)


def request(reason: str) -> None:
    """End the block as SIGTERM would, from any thread and for this reason; where no block listens nothing happens."""
    block = _block
    if block is not None and block.listens_to(signal.SIGTERM):
        block.reason = reason
        os.kill(os.getpid(), signal.SIGTERM)


class _Block:
    """What the outermost block knows."""

    def __init__(self) -> None:
        self.where = ""
        self.reason = ""
        self.number: int | None = None
        self._since = 0.0
        self._before: dict[signal.Signals, Any] = {}

    def listen(self) -> None:
        for number in _SIGNALS:
            before = signal.getsignal(number)
            if before not in (signal.SIG_IGN, None):  # None: set by other than Python, which cannot set it again.
                self._before[number] = before
                signal.signal(number, self._on_signal)

    def listens_to(self, number: signal.Signals) -> bool:
        return number in self._before

    def end(self) -> None:
        if self.number is not None:
            time.sleep(max(0.0, self._since + _SAME_SECONDS - time.monotonic()))
        for number, before in self._before.items():
            signal.signal(number, before)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.number is None:
            self.number, self._since = number, time.monotonic()
            raise StopSignal(number)
        if time.monotonic() - self._since > _SAME_SECONDS:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)


_block: _Block | None = None


def _name(number: int) -> str:
    return _WORDS.get(signal.Signals(number), signal.Signals(number).name)
