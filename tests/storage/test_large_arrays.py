from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest

from archatlas.errors import ArchatlasError
from archatlas.storage import large_arrays
from archatlas.storage.large_arrays import array_bytes, folder_for_large_files, joined, room_for, taken


@pytest.fixture(params=[2**30, 0], ids=["in memory", "in a file"])
def lies_in_a_file(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(large_arrays, "MOST_IN_MEMORY", request.param)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    return bool(request.param == 0)


def test_there_is_room_for_zeros_and_no_file_with_a_name(lies_in_a_file: bool, tmp_path: Path) -> None:
    room = room_for((3, 2), np.int16)
    assert isinstance(room, np.memmap) == lies_in_a_file
    room[1] = [7, 8]
    assert (room == [[0, 0], [7, 8], [0, 0]]).all()
    assert room.dtype == np.int16
    assert list(tmp_path.iterdir()) == []


def test_rows_are_taken_as_by_an_index(lies_in_a_file: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_arrays, "_AT_A_TIME", 50)  # Some rows at a time, and one that is left over.
    array = np.random.default_rng(0).integers(0, 256, (9, 2, 3), dtype=np.uint8)
    rows = np.array([8, 0, 0, 5, 4, 3, 1, 2, 7, 6, 8])
    assert np.array_equal(taken(array, rows), array[rows])
    assert taken(array, rows[:0]).shape == (0, 2, 3)
    assert np.array_equal(taken(array[:, :1], rows), array[rows, :1])
    assert taken(array, rows).flags.c_contiguous


def test_arrays_are_joined(lies_in_a_file: bool) -> None:
    parts = [np.full((count, 2), count, dtype=np.uint8) for count in (2, 0, 3)]
    assert np.array_equal(joined(parts), np.concatenate(parts))


def test_a_full_disk_is_told_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    with pytest.raises(
        ArchatlasError, match=r"no room for 3\.0 GiB of temporary files in .*: free some, or set TMPDIR"
    ):
        room_for((3, 2**30), np.uint8)


def test_bytes_of_arrays_are_counted_wherever_they_are() -> None:
    array = np.zeros(10, dtype=np.int16)
    assert array_bytes((array, {"one": [array, "text"], "two": None}, 3)) == 40


@pytest.mark.parametrize("refused", [errno.EOPNOTSUPP, None], ids=["by the file system", "by the system"])
def test_where_room_cannot_be_promised_it_is_taken_unpromised(
    refused: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: int) -> None:
        raise OSError(refused, "Operation not supported") if refused else AttributeError

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr(os, "posix_fallocate", refuse)
    monkeypatch.setattr(large_arrays, "MOST_IN_MEMORY", 0)
    assert room_for((2, 2), np.uint8).tolist() == [[0, 0], [0, 0]]


def test_large_files_are_not_where_a_restart_forgets_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TMPDIR", raising=False)
    monkeypatch.setattr("tempfile.tempdir", None)
    assert folder_for_large_files() == "/var/tmp"
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert folder_for_large_files() == tempfile.gettempdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    assert folder_for_large_files() == str(tmp_path)
