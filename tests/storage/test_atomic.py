from __future__ import annotations

import pytest

from archatlas.storage.atomic import atomic_path


def test_a_file_appears_whole(tmp_path):
    target = tmp_path / "new" / "folder" / "file.txt"
    with atomic_path(target) as path:
        path.write_text("whole")
        assert not target.exists()
        assert path.parent == target.parent
    assert target.read_text() == "whole"
    assert [file.name for file in target.parent.iterdir()] == ["file.txt"]


def test_a_failure_leaves_the_old_file(tmp_path):
    target = tmp_path / "file.txt"
    target.write_text("old")

    def write_half() -> None:
        with atomic_path(target) as path:
            path.write_text("ha")
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        write_half()
    assert target.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["file.txt"]


def test_a_file_is_replaced(tmp_path):
    target = tmp_path / "file.txt"
    for text in ("first", "second"):
        with atomic_path(target) as path:
            path.write_text(text)
    assert target.read_text() == "second"
