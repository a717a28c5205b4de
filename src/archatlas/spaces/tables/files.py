"""Where the files of public tables lie, and what to tell a user who does not have them."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pandas as pd

from archatlas.errors import ArchatlasError
from archatlas.storage.atomic import atomic_path

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
    looked = f"not in {given}" if given else f"and neither `table.path` nor {VARIABLE} says where to look"
    raise ArchatlasError(
        f"the table needs {' or '.join(wanted)}, which is {looked}. Get it from {page} and set `table.path` (or the "
        f"environment variable {VARIABLE}) to the folder that holds it."
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
    """What ``convert`` makes of a large official file, kept as Parquet beside it so that it is made only once.

    The copy is made anew when the source's time or size changes. Where the folder cannot be written, nothing is kept.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    state = source.stat()
    stamp = f"{source.name} {state.st_size} {state.st_mtime_ns}".encode()
    kept = source.with_name(f"{source.name}.archatlas.parquet")
    if kept.is_file() and (pq.read_schema(kept).metadata or {}).get(b"archatlas") == stamp:
        return pd.read_parquet(kept)
    table = pa.Table.from_pandas(convert(source), preserve_index=False)
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), b"archatlas": stamp})
    try:
        with atomic_path(kept) as temporary:
            pq.write_table(table, temporary)
    except OSError:
        made: pd.DataFrame = table.to_pandas()
        return made
    return pd.read_parquet(kept)
