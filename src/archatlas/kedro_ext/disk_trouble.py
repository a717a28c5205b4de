"""What to say where a disk is full, read-only or not this user's, or another thing lies where a file belongs.

An error says which file was refused, and not whether it was to be read or written: that is told by the user's rights.
"""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

from archatlas.kedro_ext.causes import causes
from archatlas.kedro_ext.versions import relative

_FULL = "Free some (`kedro clean --dry-run` shows what old versions take)"
_CLOSED = "Make it writable for this user, or move the project to where it is"
_HIDDEN = "Make it, and the folders that it lies in, readable for this user"
_IN_THE_WAY = "Move what lies there away, or delete it"
_KINDS = {
    errno.ENOSPC: ("no space is left on the device", _FULL),
    errno.EDQUOT: ("the disk quota is used up", _FULL),
    errno.EROFS: ("the file system is read-only", _CLOSED),
    errno.EACCES: ("permission is denied", _CLOSED),
    errno.EPERM: ("the operation is not permitted", _CLOSED),
    errno.EISDIR: ("a folder lies where a file belongs", _IN_THE_WAY),
    errno.ENOTDIR: ("a file lies where a folder belongs", _IN_THE_WAY),
    errno.EEXIST: ("a file lies where a folder belongs", _IN_THE_WAY),
    errno.ELOOP: ("a link leads back to itself", _IN_THE_WAY),
    errno.ENAMETOOLONG: (
        "the name is too long for the file system",
        "Take a shorter one, or a project nearer the root",
    ),
    errno.EIO: ("the disk does not answer as it should (input/output error)", "Check the disk, or move the project"),
    errno.EMFILE: ("too many files are open", "Raise the limit (`ulimit -n`)"),
}
# Rust (safetensors, Polars) raises errors of its own, which say so in their text.
_NUMBER = re.compile(r"\(os error (\d+)\)")
# Few errors of a full disk name the file. Data sets do, each in its way; so may a note that was added to the error.
_FILE = re.compile(r"while writing (?P<noted>.+)|(?P<file>/\S+) was not written \(|filepath=(?:\w+\()?'(?P<set>[^']+)'")


def disk_trouble(error: BaseException) -> str | None:
    """One message (which file, what is wrong, what to do) if the disk is behind ``error``, else None.

    The disk is behind it if anything in the chain of causes is an OSError for want of space or rights, or because a
    folder or a file is in the way.
    """
    chain = list(causes(error))
    kind = next((known for one in chain if (known := _KINDS.get(_number(one))) is not None), None)
    if kind is None:
        return None
    wrong, remedy = kind
    file = _file(chain)
    go_on = "then run the same command again: earlier results and finished parts are intact"
    verb = "write" if remedy in (_FULL, _CLOSED) else "use"
    if remedy == _CLOSED and file is not None and _is_hidden(Path(file)):
        verb, remedy = "read", _HIDDEN
    return f"cannot {verb} {'a file' if file is None else _shown(file)}: {wrong}. {remedy}, {go_on}."


def _number(error: BaseException) -> int:
    if isinstance(error, OSError):
        return error.errno or 0
    found = _NUMBER.search(str(error))
    return int(found[1]) if found else 0


def _file(chain: list[BaseException]) -> str | None:
    texts = [text for one in chain for text in (*getattr(one, "__notes__", ()), str(one))]
    told = [match["noted"] or match["file"] or match["set"] for text in texts if (match := _FILE.search(text))]
    named = [one.filename for one in chain if isinstance(one, OSError) and isinstance(one.filename, str)]
    return next(iter([*told, *named]), None)


def _is_hidden(path: Path) -> bool:
    """Whether this user may not read what is there, or not even see whether it is."""
    by_effective_user = os.access in os.supports_effective_ids

    def may(folder: Path, right: int) -> bool:
        return os.access(folder, right, effective_ids=by_effective_user)

    above = next((folder for folder in path.parents if may(folder, os.F_OK)), path)
    return not may(path, os.R_OK) if may(path, os.F_OK) else not may(above, os.X_OK)


def _shown(path: str) -> str:
    try:
        above = [folder for folder in Path(path).parents if folder.is_file()]
        return relative(above[0] if above else Path(path))  # What lies below a file is in nobody's way.
    except OSError:  # The file system does not even answer whether there is such a path.
        return path
