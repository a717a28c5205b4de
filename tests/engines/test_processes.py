from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from archatlas.engines.engine import Shares, side_by_side
from archatlas.errors import ArchatlasError
from archatlas.storage import large_arrays


def work(job: int) -> int:
    if job == 1:
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGKILL)  # As a system does that is out of memory.
    return job


def where_it_lies(_: int, array: NDArray[np.uint8]) -> Path:
    assert isinstance(array, np.memmap)
    assert (array == 3).all()
    return Path(str(array.filename))


def test_arrays_that_are_too_large_for_memory_are_shared_in_a_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr(large_arrays, "MOST_IN_MEMORY", 2**20)
    array = np.full(2**21, 3, dtype=np.uint8)
    with side_by_side(abs, [-1, 2], shares=Shares(2, 1)) as numbers:
        assert sorted(numbers) == [1, 2], "by workers whose arrays lie elsewhere"
    with side_by_side(where_it_lies, range(2), array, shares=Shares(2, 1)) as results:
        files = list(results)
    assert all(file.is_relative_to(tmp_path) for file in files)


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
