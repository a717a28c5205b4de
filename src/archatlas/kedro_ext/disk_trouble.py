"""What to say where a disk is full, read-only or not this user's."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from pathlib import Path

from archatlas.kedro_ext.versions import relative

_FULL = "Free some (`kedro clean --dry-run` shows what old versions take)"
_CLOSED = "Make it writable for this user, or move the project to where it is"
_KINDS = {
    errno.ENOSPC: ("no space is left on the device", _FULL),
    errno.EDQUOT: ("the disk quota is used up", _FULL),
    errno.EROFS: ("the file system is read-only", _CLOSED),
    errno.EACCES: ("permission is denied", _CLOSED),
    errno.EPERM: ("the operation is not permitted", _CLOSED),
}
# Rust (safetensors, Polars) raises errors of its own, which say so in their text.
_NUMBER = re.compile(r"\(os error (\d+)\)")
# Few errors of a full disk name the file. Data sets do, each in its way; so may a note that was added to the error.
_FILE = re.compile(r"while writing (?P<noted>.+)|(?P<file>/\S+) was not written \(|filepath=(?:\w+\()?'(?P<set>[^']+)'")


def disk_trouble(error: BaseException) -> str | None:
    """One message (which file, what is wrong, what to do) if the disk is behind ``error``, else None.

    The disk is behind it if anything in the chain of causes is an OSError for want of space or rights.
    """
    chain = list(_causes(error))
    kind = next((known for one in chain if (known := _KINDS.get(_number(one))) is not None), None)
    if kind is None:
        return None
    wrong, remedy = kind
    go_on = "then run the same command again: earlier results and finished parts are intact"
    return f"cannot write {_file(chain)}: {wrong}. {remedy}, {go_on}."


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__


def _number(error: BaseException) -> int:
    if isinstance(error, OSError):
        return error.errno or 0
    found = _NUMBER.search(str(error))
    return int(found[1]) if found else 0


def _file(chain: list[BaseException]) -> str:
    texts = [text for one in chain for text in (*getattr(one, "__notes__", ()), str(one))]
    told = [match["noted"] or match["file"] or match["set"] for text in texts if (match := _FILE.search(text))]
    named = [one.filename for one in chain if isinstance(one, OSError) and isinstance(one.filename, str)]
    return relative(Path([*told, *named][0])) if told or named else "a file"
