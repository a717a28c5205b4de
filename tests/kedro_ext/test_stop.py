from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from archatlas.kedro_ext import stop
from archatlas.kedro_ext.stop import RunStopped, StopSignal, entering, stoppable


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Signals that do nothing outside of what is tested; and what was before comes back."""
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def send(number: int) -> None:
    os.kill(os.getpid(), number)
    time.sleep(1)  # The signal comes here at the latest.


@pytest.mark.parametrize(
    ("number", "code", "message"),
    [
        (
            signal.SIGINT,
            130,
            "Stopped by Ctrl-C at train. What was finished is kept: run the same command again to go on.",
        ),
        (
            signal.SIGTERM,
            143,
            "Stopped by SIGTERM at train. What was finished is kept: run the same command again to go on.",
        ),
    ],
)
def test_a_signal_ends_the_block_as_an_exception_that_kedro_sees(number: int, code: int, message: str) -> None:
    def run() -> None:
        with stoppable():
            entering("train")
            send(number)

    before = signal.getsignal(number)
    with pytest.raises(RunStopped) as stopped:
        run()
    assert str(stopped.value) == message
    assert stopped.value.exit_code == code
    assert isinstance(stopped.value, Exception)
    assert signal.getsignal(number) is before


def test_within_the_block_nothing_that_catches_exceptions_catches_it() -> None:
    caught: list[BaseException] = []

    def node() -> None:
        try:
            send(signal.SIGINT)
        except Exception as error:
            caught.append(error)

    with pytest.raises(RunStopped), stoppable():
        node()
    assert caught == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_signal_whose_exception_is_lost_stops_at_the_next_node() -> None:
    class Finalised:
        def __del__(self) -> None:
            send(signal.SIGTERM)

    def second() -> None:
        _ = Finalised()

    def run() -> None:
        with stoppable():
            entering("first")
            second()
            entering("third")

    with pytest.raises(RunStopped, match="SIGTERM at third"):
        run()


def test_blocks_may_be_nested_and_count_signals_together() -> None:
    handled: list[str] = []

    def run() -> None:
        with stoppable():
            try:
                with stoppable():
                    send(signal.SIGINT)
            except RunStopped:
                handled.append("inner")
                assert signal.getsignal(signal.SIGINT) == stop._block._on_signal  # type: ignore[union-attr]
                raise

    with pytest.raises(RunStopped):
        run()
    assert handled == ["inner"]
    assert stop._block is None
    with stoppable():
        entering("a later run is not stopped by an earlier signal")


def test_an_ordinary_interrupt_is_one_too() -> None:
    with pytest.raises(RunStopped, match="Ctrl-C"), stoppable():
        raise KeyboardInterrupt


def test_other_exceptions_pass() -> None:
    with pytest.raises(ValueError, match="a fault"), stoppable():
        raise ValueError("a fault")


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with stoppable():
        send(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN


def test_other_threads_are_left_alone() -> None:
    seen: list[object] = []

    def elsewhere() -> None:
        with stoppable():
            entering("elsewhere")
            seen.append(signal.getsignal(signal.SIGINT))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen == [before]


def test_a_stop_signal_is_a_keyboard_interrupt() -> None:
    assert issubclass(StopSignal, KeyboardInterrupt)
    assert not issubclass(StopSignal, Exception)


STUBBORN = """
import sys, time
from archatlas.kedro_ext.stop import stoppable
with stoppable():
    while True:
        try:
            print("working", flush=True)
            time.sleep(30)
        except KeyboardInterrupt:
            pass
"""


@pytest.mark.parametrize(("first", "second"), [(signal.SIGINT, signal.SIGINT), (signal.SIGINT, signal.SIGTERM)])
def test_the_second_signal_kills_at_once(first: int, second: int, repository: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", STUBBORN],
        env=os.environ | {"PYTHONPATH": str(repository / "src")},
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "working\n"
    process.send_signal(first)
    assert process.stdout.readline() == "working\n"
    time.sleep(0.3)
    process.send_signal(second)
    assert process.wait(2) == -second
    process.stdout.close()
