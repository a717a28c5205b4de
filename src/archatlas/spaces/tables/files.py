"""Where the files of public tables lie, and what to tell a user who does not have them."""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from archatlas.errors import ArchatlasError
from archatlas.storage.atomic import atomic_path
from archatlas.storage.walk import walk

VARIABLE = "ARCHATLAS_BENCHMARK_DATA"


def find_file(path: str | None, wanted: Sequence[str], page: str) -> Path:
    """The first of the files (or folders) ``wanted`` that is there.

    Args:
        path: one of the files itself, or a folder that holds one; None: the folder that ``VARIABLE`` names.
        wanted: paths within such a folder; the last part of each is looked for beside it too.
        page: where a user gets the file.

    Raises:
        ArchatlasError: none is there; says which file to get from where.
    """
    given = path or os.environ.get(VARIABLE)
    if given:
        place = Path(given).expanduser()
        names = [Path(name).name for name in wanted]
        if place.exists() and place.name in names:
            return place
        for candidate in [place / name for name in wanted] + [place / name for name in names]:
            if candidate.exists():
                return candidate
    looked = f"which is not in {given}" if given else f"but neither `table.path` nor {VARIABLE} says where it lies"
    raise ArchatlasError(
        f"the table needs {' or '.join(wanted)}, {looked}. Get it from {page} and set `table.path` (or the environment "
        f"variable {VARIABLE}) to the folder that holds it."
    )


def read_csv(file: Path, columns: Iterable[str], page: str) -> pd.DataFrame:
    """A CSV file, compressed or not, that must have ``columns``.

    Raises:
        ArchatlasError: the file cannot be read or lacks a column.
    """
    try:
        rows = pd.read_csv(file)
    except (ValueError, OSError, EOFError, zlib.error) as error:
        raise ArchatlasError(f"{file} is damaged ({error}): get it again from {page}") from error
    missing = [column for column in columns if column not in rows]
    if missing:
        raise ArchatlasError(f"{file} has no column {missing[0]!r}: it is another file than that of {page}")
    return rows


def converted(source: Path, convert: Callable[[Path], pd.DataFrame]) -> pd.DataFrame:
    """What ``convert`` makes of a large official file or folder, kept as Parquet beside it: it is made only once.

    Beside the copy stands of what content it was made and what its own is, and it is made anew where either is another.
    Where the folder cannot be written, nothing is kept.
    """
    kept = source.with_name(f"{source.name}.archatlas.parquet")
    note = kept.with_suffix(".json")
    made_of = _sha256(source)
    if kept.is_file() and _noted(note) == {"source": made_of, "copy": _sha256(kept)}:
        return pd.read_parquet(kept)
    rows = convert(source)
    try:
        with atomic_path(kept) as temporary:
            rows.to_parquet(temporary, index=False)
        with atomic_path(note) as temporary:
            temporary.write_text(json.dumps({"source": made_of, "copy": _sha256(kept)}))
    except OSError:
        return rows
    return pd.read_parquet(kept)


def _sha256(path: Path) -> str:
    """Of a file, or of the names and contents of all files below a folder."""
    try:
        files = [path] if path.is_file() else sorted(folder / name for folder, _, names in walk(path) for name in names)
    except OSError as error:
        raise ArchatlasError(
            f"the folder `{error.filename}` cannot be listed ({error.strerror}): give it rights to be read, or move it "
            f"out of `{path}`"
        ) from error
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as opened:
            content = hashlib.file_digest(opened, "sha256").hexdigest()
        digest.update(f"{file.relative_to(path.parent).as_posix()}\0{content}\n".encode())
    return digest.hexdigest()


def _noted(file: Path) -> Any:
    try:
        return json.loads(file.read_text())
    except (OSError, ValueError):
        return None
