from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archatlas.kedro_ext.digests import FileDigests


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes, of which one is a link to a folder elsewhere; a link that leads back, one to nothing, and a pipe."""
    root, elsewhere = tmp_path / "images", tmp_path / "elsewhere"
    (root / "cat").mkdir(parents=True)
    elsewhere.mkdir()
    (root / "cat" / "a.png").write_text("a")
    (elsewhere / "b.png").write_text("b")
    (root / "dog").symlink_to(elsewhere)
    (root / "cat" / "back").symlink_to(root)
    (root / "cat" / "gone.png").symlink_to(tmp_path / "nothing")
    os.mkfifo(root / "cat" / "pipe.png")
    return root


def replaced_behind_a_link(root: Path) -> None:
    (root / "dog" / "b.png").write_text("other")


def added_behind_a_link(root: Path) -> None:
    (root / "dog" / "c.png").write_text("c")


def empty_class_added(root: Path) -> None:
    (root / "bird").mkdir()


def link_turned(root: Path) -> None:
    (root / "dog").unlink()
    (root / "dog").symlink_to(root / "cat")


def moved_to_another_class(root: Path) -> None:
    (root / "cat" / "a.png").rename(root / "dog" / "a.png")


def link_to_nothing_mended(root: Path) -> None:
    (root.parent / "nothing").write_text("now something")


def test_what_is_no_regular_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "table.csv")
    assert FileDigests().of(tmp_path / "table.csv").size == 0


CHANGES: tuple[Callable[[Path], None], ...] = (
    replaced_behind_a_link, added_behind_a_link, empty_class_added, link_turned, moved_to_another_class,
    link_to_nothing_mended,
)  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_change_of_what_a_reader_would_find_changes_the_digest(folder: Path, change: Callable[[Path], None]) -> None:
    digests = FileDigests()
    before = digests.of(folder)
    assert digests.of(folder) == before
    change(folder)
    assert digests.of(folder).sha256 != before.sha256


@pytest.mark.parametrize("hidden", ["cat/a.png", "cat"])
def test_what_may_not_be_read_goes_by_size_and_times(open_folder: Path, unprivileged: Any, hidden: str) -> None:
    (open_folder / "cat").mkdir()
    for name in ("a.png", "b.png"):
        (open_folder / "cat" / name).write_text(name)
    digests = FileDigests()
    readable = digests.of(open_folder)
    mode = (open_folder / hidden).stat().st_mode
    (open_folder / hidden).chmod(0o644 if hidden == "cat" else 0)  # Of a folder, names can be read and no more.
    with unprivileged():
        unreadable = digests.of(open_folder)
        assert digests.of(open_folder) == unreadable
    assert unreadable.sha256 != readable.sha256
    (open_folder / hidden).chmod(mode)
    assert digests.of(open_folder) == readable


def test_a_folder_that_cannot_be_listed_is_not_taken_for_an_empty_one(open_folder: Path, unprivileged: Any) -> None:
    inner = open_folder / "cat" / "inner"
    inner.mkdir(parents=True)
    empty = FileDigests().of(open_folder)
    inner.chmod(0o311)
    with unprivileged():
        unlisted = FileDigests().of(open_folder)
        assert FileDigests().of(open_folder) == unlisted
    assert unlisted.size == empty.size == 0
    assert unlisted.sha256 != empty.sha256


def test_a_file_by_itself_that_may_not_be_read_is_an_error(open_folder: Path, unprivileged: Any) -> None:
    (open_folder / "table.csv").touch(0)
    with unprivileged(), pytest.raises(PermissionError):
        FileDigests().of(open_folder / "table.csv")


def test_the_bytes_are_those_of_all_files_and_where_the_folder_lies_does_not_count(folder: Path) -> None:
    before = FileDigests().of(folder)
    assert before.size == 2
    moved = folder.with_name("moved")
    folder.rename(moved)
    (moved / "cat" / "back").unlink()
    (moved / "cat" / "back").symlink_to(moved)
    assert FileDigests().of(moved) == before


def test_files_that_are_gone_are_not_kept(tmp_path: Path) -> None:
    cache, folder = tmp_path / "digests.json", tmp_path / "images"
    for name in ("stays.png", "goes.png", "old/part.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    digests = FileDigests(cache)
    digests.of(folder)
    (folder / "goes.png").unlink()
    digests.save()
    assert json.loads(cache.read_text()).keys() == {str(folder / name) for name in ("stays.png", "old/part.png")}
    shutil.rmtree(folder / "old")
    later = FileDigests(cache)
    later.save()  # Nothing new was read: nobody looks what is gone.
    assert len(json.loads(cache.read_text())) == 2
    later.forget_what_is_gone()
    later.save()
    assert json.loads(cache.read_text()).keys() == {str(folder / "stays.png")}
