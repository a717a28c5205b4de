from __future__ import annotations

import os
import signal
import time

import pytest

from archatlas.engines.engine import Shares, side_by_side
from archatlas.errors import ArchatlasError


def work(job: int) -> int:
    if job == 1:
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGKILL)  # As a system does that is out of memory.
    return job


def test_a_killed_worker_is_told_with_what_to_do() -> None:
    with (
        pytest.raises(ArchatlasError) as told,
        side_by_side(work, range(2), shares=Shares(2, 1)) as results,
    ):
        list(results)
    assert str(told.value) == (
        "one of 2 worker processes was killed (SIGKILL), mostly a sign that memory ran out: set `device.workers` to 1, "
        "or close what else takes memory, and run the same command again. What was finished is kept."
    )
