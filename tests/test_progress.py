from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from tqdm import tqdm

from archatlas import progress
from archatlas.progress import ProgressLines, duration, progress_bar


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Time stands still but for what is said to have passed."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])

    def passed(seconds: float) -> None:
        now[0] += seconds

    return passed


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_without_a_terminal_a_line_says_every_half_minute_what_is_done_and_left(
    clock: Callable[[float], None], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO), progress_bar(desc="training", total=1600, initial=400, unit="step") as bar:
        for step in range(1200):
            clock(0.0625)
            bar.set_postfix(epoch=step // 300 + 1, loss="0.5")
            bar.update()
    assert lines(caplog) == [
        "training: 880 of 1,600 steps (55%), about 45 s left, epoch 2, loss 0.5",
        "training: 1,360 of 1,600 steps (85%), about 15 s left, epoch 4, loss 0.5",
    ]


def test_loops_side_by_side_take_turns_and_say_a_line_every_half_minute_together(
    clock: Callable[[float], None], caplog: pytest.LogCaptureFixture
) -> None:
    bars: list[Any] = [
        progress_bar(desc=f"network {place + 1}", total=100, position=place, turns=2) for place in range(3)
    ]
    said = []
    with caplog.at_level(logging.INFO):
        for second in range(100):
            clock(1)
            for bar in bars[:2]:
                bar.update()
            said += [(second + 1, line.partition(":")[0]) for line in lines(caplog)]
            caplog.clear()
        assert said == [(30, "network 1"), (60, "network 2"), (90, "network 1")]
        clock(30)
        bars[2].update()  # The third has the place of the first.
    assert lines(caplog) == ["network 3: 1 of 100 its (1%), about 3.6 h left"]


def test_items_come_as_they_are_and_a_slow_one_is_told_at_once(
    clock: Callable[[float], None], caplog: pytest.LogCaptureFixture
) -> None:
    seen = []
    with caplog.at_level(logging.INFO):
        for item in progress_bar(["a", "b"], desc="parts", unit="part"):
            seen.append(item)
            clock(200)
        for item in progress_bar(iter("cd"), desc="letters", unit="letter"):
            seen.append(item)
            clock(40)
    assert seen == ["a", "b", "c", "d"]
    assert lines(caplog) == [
        "parts: 1 of 2 parts (50%), about 3 min left",
        "parts: 2 of 2 parts (100%)",
        "letters: 1 letter after 40 s",
        "letters: 2 letters after 80 s",
    ]


def test_what_is_quick_or_hidden_says_nothing(clock: Callable[[float], None], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        for hidden, seconds in ((False, 29.9), (True, 1000.0)):
            bar: Any = ProgressLines(desc="loop", total=2, hidden=hidden)
            clock(seconds)
            bar.update()
    assert lines(caplog) == []


def test_on_a_terminal_it_is_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    bar = progress_bar(desc="loop", total=3, unit="step", hidden=True)
    assert isinstance(bar, tqdm)
    assert bar.disable


PARENT = """
import logging
from archatlas import progress
from archatlas.engines.engine import Shares, side_by_side

def work(number):
    progress.LINE_SECONDS = 0.0
    bar = progress.progress_bar(desc=f"worker {number}", total=2, unit="step")
    bar.update()
    return number

if __name__ == "__main__":
    logging.basicConfig(format="%(levelname)s: %(message)s")
    logging.getLogger("archatlas").setLevel(logging.INFO)
    with side_by_side(work, [1, 2], shares=Shares(2, 1)) as results:
        assert sorted(results) == [1, 2]
"""


def test_processes_that_work_for_another_log_as_it_does() -> None:
    ran = subprocess.run([sys.executable, "-c", PARENT], capture_output=True, text=True, env=os.environ, timeout=120)
    assert ran.returncode == 0, ran.stderr
    said = sorted(line.partition(", about")[0] for line in ran.stderr.splitlines() if "worker" in line)
    assert said == ["INFO: worker 1: 1 of 2 steps (50%)", "INFO: worker 2: 1 of 2 steps (50%)"]


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "1 s"), (42.4, "42 s"), (240, "4 min"), (5399, "90 min"), (9000, "2.5 h")]
)
def test_durations_are_rounded_for_people(seconds: float, words: str) -> None:
    assert duration(seconds) == words
