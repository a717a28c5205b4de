from __future__ import annotations

import mmap
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import psutil
import pytest

from archatlas.kedro_ext.usage import measured

MIB = 2**20
HOLD = "import time; block = bytearray(60 * 2**20); print('held', flush=True); time.sleep(60)"


def resident() -> float:
    return psutil.Process().memory_info().rss / MIB


def fail() -> None:
    time.sleep(0.05)
    raise ValueError("half way")


def test_a_block_is_timed_and_its_peak_memory_is_seen_though_it_is_given_back() -> None:
    before = resident()
    began = datetime.now(UTC)
    with measured() as meter:
        # Pages of the system's own: what the process has freed before may be given out again.
        block = mmap.mmap(-1, 64 * MIB)
        block.write(b"\1" * (64 * MIB))
        time.sleep(0.5)
        block.close()
        time.sleep(0.1)
    assert 0.6 <= meter.usage.seconds < 3
    assert meter.usage.peak_memory_mib >= before + 60
    assert abs(datetime.fromisoformat(meter.usage.started) - began) < timedelta(seconds=1)


def test_children_count() -> None:
    before = resident()
    with measured() as meter:
        child = subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        time.sleep(0.5)
        child.kill()
        child.wait()
        child.stdout.close()
    assert meter.usage.peak_memory_mib >= before + 60


def test_a_block_that_fails_is_measured_and_leaves_no_thread() -> None:
    with pytest.raises(ValueError, match="half way"), measured() as meter:
        fail()
    first = meter.usage
    time.sleep(0.05)
    assert 0.05 <= first.seconds < 1
    assert meter.usage == first
    assert "peak-memory" not in {thread.name for thread in threading.enumerate()}


def test_measuring_takes_next_to_nothing() -> None:
    began = time.process_time()
    with measured():
        time.sleep(2)
    assert time.process_time() - began < 0.1
