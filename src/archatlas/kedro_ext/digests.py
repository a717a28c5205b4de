"""Digests of what lies on disk, kept so that files are not read again while their size and times stand."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archatlas.storage.atomic import atomic_path
from archatlas.storage.walk import walk


@dataclass(frozen=True)
class Content:
    """Bytes of a file or a folder, and their SHA-256.

    Of a folder it is that of what lies in it, links followed: paths of folders, and of files with their digests. One
    that cannot be listed counts as that: who reads it says so.
    """

    size: int
    sha256: str


_NO_FILE = Content(0, "no file")
_UNREADABLE = (errno.EACCES, errno.EPERM, errno.EIO)
"""Errors of a file that this user may not read, or of which the disk has lost the content."""


@dataclass(frozen=True)
class Seen:
    """A file as it was when it was read: size, inode, times of change of content and of status (ns), and SHA-256."""

    stamp: tuple[int, ...]
    sha256: str


class FileDigests:
    """Digests by path, read from and kept in a JSON file (None: for as long as this object lives).

    Anything else in the place of that file counts as nothing known, but a folder is refused (OSError): what is known
    could not be kept there.

    A file's digest is trusted while size, inode, time of change of content and of status stand; setting a file's times
    back changes the last. What no time shows (a disk that lost a bit) is found with ``afresh``.
    """

    def __init__(self, cache: Path | None = None) -> None:
        self._cache = cache
        self._known: dict[str, dict[str, Any]] = {}
        self._changed = False
        if cache is not None:
            if cache.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(cache))
            # None yet, or damaged: files are then read again.
            with suppress(OSError, ValueError, TypeError, AttributeError, RecursionError):
                known = json.loads(cache.read_text())
                self._known = {path: one for path, one in known.items() if {"stamp", "sha256"} <= one.keys()}

    def of(self, path: Path, *, afresh: bool = False) -> Content:
        """The content of a file or folder; raises FileNotFoundError naming it if there is none."""
        if not path.is_dir():
            return self._of_file(path, afresh)
        size, lines = 0, []

        def unlisted(error: OSError) -> None:
            lines.append(f"{Path(error.filename).relative_to(path).as_posix()}/\0unreadable")

        for folder, below, names in walk(path, unlisted=unlisted):
            inside = folder.relative_to(path)
            lines += [f"{(inside / name).as_posix()}/" for name in below]
            for name in names:
                content = self._of_file_inside(folder / name, afresh)
                lines.append(f"{(inside / name).as_posix()}\0{content.sha256}")
                size += content.size
        return Content(size, hashlib.sha256("\n".join(sorted(lines)).encode(errors="surrogateescape")).hexdigest())

    def seen(self, path: Path) -> dict[Path, Seen]:
        """The file ``path``, or all files below it, as they were when they were last read."""
        whole = str(path.absolute())
        return {
            path / Path(file).relative_to(whole): Seen(tuple(known["stamp"]), known["sha256"])
            for file, known in self._known.items()
            if (file == whole or file.startswith(f"{whole}{os.sep}")) and isinstance(known["stamp"], list)
        }

    def distrust(self, path: Path) -> None:
        """Have ``path`` and what lies below it read again when it is asked for, whatever its times say."""
        for file in self.seen(path):
            self._known[str(file.absolute())]["stamp"] = []
            self._changed = True

    def forget_what_is_gone(self) -> None:
        """Know nothing more of files that are no longer there."""
        names: dict[str, frozenset[str] | None] = {}  # A folder is listed once, however many files it has.

        def is_there(file: str) -> bool:
            folder, name = os.path.split(file)
            if folder not in names:
                names[folder] = _names_in(folder)
            listed = names[folder]
            return listed is None or name in listed

        there = {file: known for file, known in self._known.items() if is_there(file)}
        self._changed |= len(there) < len(self._known)
        self._known = there

    def save(self) -> None:
        """Keep what is known of files that are there for the next process."""
        if self._changed and self._cache is not None:
            self.forget_what_is_gone()
            with atomic_path(self._cache) as temporary:
                temporary.write_text(json.dumps(self._known))
            self._changed = False

    def _of_file_inside(self, path: Path, afresh: bool) -> Content:
        """The content of a file below a folder, which may be damaged: who reads the folder names it, or does without.

        What cannot be read goes by size and times, and a link to nothing by its name.
        """
        try:
            return self._of_file(path, afresh) if path.exists() else _NO_FILE
        except OSError as error:
            if error.errno not in _UNREADABLE:
                raise
        try:
            status = path.stat()
        except OSError:  # Its folder may not be entered.
            return Content(0, "unreadable")
        told = f"unreadable {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"
        return Content(status.st_size, told)

    def _of_file(self, path: Path, afresh: bool) -> Content:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # To open a named pipe would be to wait for who writes to it.
            return _NO_FILE
        key = str(path.absolute())
        stamp = [status.st_size, status.st_ino, status.st_mtime_ns, status.st_ctime_ns]
        known = self._known.get(key)
        if afresh or known is None or known["stamp"] != stamp:
            with path.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            known = {"stamp": stamp, "sha256": sha256}
            self._changed |= self._known.get(key) != known
            self._known[key] = known
        return Content(status.st_size, known["sha256"])


def _names_in(folder: str) -> frozenset[str] | None:
    """Names of what lies in a folder; none if it is gone, None if it cannot be told."""
    try:
        return frozenset(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return frozenset()
    except OSError:
        return None
