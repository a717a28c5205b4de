"""Who keeps the files of work stores: the disk, or for a task on another machine the process that sent it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from archatlas.storage.atomic import atomic_path


class Keeper(Protocol):
    """Reads and writes whole files; errors are those of the disk (OSError)."""

    def read(self, path: Path) -> bytes:
        """The content of a file; FileNotFoundError if there is none."""

    def write(self, path: Path, content: bytes) -> None:
        """Put a file there, whole or not at all, with the folders that it lies in."""

    def discard(self, folder: Path) -> None:
        """Delete a folder and all that it holds; nothing happens if there is none."""

    def names(self, folder: Path) -> list[str]:
        """Of the files in a folder, without hidden ones; none if there is no such folder."""


class Disk:
    """Of this machine."""

    def read(self, path: Path) -> bytes:
        return path.read_bytes()

    def write(self, path: Path, content: bytes) -> None:
        with atomic_path(path) as temporary:
            temporary.write_bytes(content)

    def discard(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)

    def names(self, folder: Path) -> list[str]:
        return [path.name for path in folder.glob("[!.]*")]


DISK: Keeper = Disk()

_keeper = DISK


def keeper() -> Keeper:
    """Who keeps the files of this process's work stores."""
    return _keeper


@contextmanager
def kept_by(other: Keeper) -> Iterator[None]:
    """Let somebody else keep them within the block, for all threads of this process."""
    global _keeper
    before, _keeper = _keeper, other
    try:
        yield
    finally:
        _keeper = before
