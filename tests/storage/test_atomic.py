from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from archatlas.storage.atomic import atomic_folder, atomic_path


def everything(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def write_file(path: Path, text: str) -> None:
    path.write_text(text)


def write_folder(path: Path, text: str) -> None:
    (path / "deep").mkdir()
    (path / "a.txt").write_text(text)
    (path / "deep" / "b.txt").write_text(text)


KINDS = pytest.mark.parametrize(("atomic", "write"), [(atomic_path, write_file), (atomic_folder, write_folder)])


def test_a_file_appears_whole(tmp_path):
    target = tmp_path / "new" / "folder" / "file.txt"
    with atomic_path(target) as path:
        path.write_text("whole")
        assert not target.exists()
        assert path.parent == target.parent
    assert target.read_text() == "whole"
    assert everything(tmp_path) == ["new", "new/folder", "new/folder/file.txt"]


def test_a_file_is_replaced(tmp_path):
    target = tmp_path / "file.txt"
    for text in ("first", "second"):
        with atomic_path(target) as path:
            path.write_text(text)
    assert target.read_text() == "second"


def test_a_folder_appears_whole(tmp_path):
    target = tmp_path / "new" / "folder"
    with atomic_folder(target) as path:
        write_folder(path, "whole")
        assert not target.exists()
        assert path.parent == target.parent
    assert (target / "deep" / "b.txt").read_text() == "whole"
    assert everything(tmp_path) == ["new", "new/folder", "new/folder/a.txt", "new/folder/deep", "new/folder/deep/b.txt"]


def test_a_folder_may_be_empty(tmp_path):
    with atomic_folder(tmp_path / "folder"):
        pass
    assert everything(tmp_path) == ["folder"]


def test_a_folder_is_not_replaced(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(FileExistsError, match="folder is there already"), atomic_folder(tmp_path / "folder"):
        pass
    assert everything(tmp_path) == ["folder"]


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
    assert everything(tmp_path) == ["file.txt"]


@KINDS
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failure_leaves_nothing_where_nothing_was(tmp_path, atomic, write, error):
    (tmp_path / "old").mkdir()

    def write_half() -> None:
        with atomic(tmp_path / "old" / "new" / "newer" / "target") as path:
            write(path, "half")
            raise error

    with pytest.raises(error):
        write_half()
    assert everything(tmp_path) == ["old"]


def test_a_failure_leaves_what_others_wrote_meanwhile(tmp_path):
    def write_half() -> None:
        with atomic_path(tmp_path / "new" / "target"):
            (tmp_path / "new" / "other").write_text("of another process")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert everything(tmp_path) == ["new", "new/other"]


def test_a_file_that_was_not_written_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "target"):
        pass
    assert everything(tmp_path) == []


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="asks Linux which files are open")
@KINDS
def test_the_content_is_flushed_before_the_rename_and_the_rename_after_it(tmp_path, atomic, write):
    synced: list[str] = []
    renamed: list[int] = []
    fsync = os.fsync

    def watched_fsync(descriptor: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)
        fsync(descriptor)

    def watched(call):
        def move(*paths):
            renamed.append(len(synced))
            call(*paths)

        return move

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", watched_fsync)
        patch.setattr(os, "rename", watched(os.rename))
        patch.setattr(os, "replace", watched(os.replace))
        with atomic(tmp_path / "new" / "target") as path:
            write(path, "text")
    before, after = synced[: renamed[0]], synced[renamed[0] :]
    files = {path.name} if atomic is atomic_path else {path.name, "a.txt", "deep", "b.txt"}
    assert set(before) == files | {tmp_path.name}
    assert after == ["new"]


WRITER = """
import sys, time
from itertools import count
from pathlib import Path
from archatlas.storage.atomic import atomic_folder, atomic_path

folder = Path(sys.argv[1])
for turn in count():
    started = time.perf_counter()
    text = str(turn % 10) * 200_000
    with atomic_path(folder / "file.txt") as path, path.open("w") as file:
        for start in range(0, len(text), 20_000):
            file.write(text[start : start + 20_000])
            file.flush()
    with atomic_folder(folder / f"folder_{turn}") as path:
        for name in "abc":
            (path / name).write_text(text)
    print(time.perf_counter() - started, flush=True)
"""


def test_a_killed_writer_leaves_whole_files_and_folders(tmp_path, repository):
    delays = random.Random(0)
    environment = os.environ | {"PYTHONPATH": str(repository / "src")}
    folders = 0
    for kill in range(25):
        folder = tmp_path / str(kill)
        folder.mkdir()
        (folder / "file.txt").write_text("9" * 200_000)
        command = [sys.executable, "-c", WRITER, str(folder)]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            turn = float(writer.stdout.readline())
            time.sleep(delays.uniform(0, 2 * turn))
            writer.kill()
        text = (folder / "file.txt").read_text()
        assert len(text) == 200_000
        assert len(set(text)) == 1
        for made in folder.glob("folder_*"):
            assert {path.name: len(path.read_text()) for path in made.iterdir()} == dict.fromkeys("abc", 200_000)
            folders += 1
    assert folders >= 25, "the writers were killed at work, not before"
