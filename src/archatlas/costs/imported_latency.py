"""Latency tables that were made on another device, and what makes such a table fit a space."""

from __future__ import annotations

import csv
import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from archatlas.costs.counting import KEY, count_parts
from archatlas.costs.latency_columns import LATENCY_TYPES, MEASURED
from archatlas.errors import ArchatlasError, brief
from archatlas.spaces.protocol import ChainFamily, SearchSpace


def import_table(path: Path, space: SearchSpace) -> pd.DataFrame:
    """A latency table that was made elsewhere, for instance by the script of the latency kit.

    Needs columns part, position, choice, operation, latency_ms, with a row for every part of the space; device,
    batch_size, threads (0 if not said) and the quartiles (NaN) are optional. A column ``macs`` is compared with the
    space's own count, so that a table made for other widths or another image size is refused.

    Returns:
        The columns of ``measure_parts``, with source ``imported``.

    Raises:
        ArchatlasError: no such file, not a table, or a table that does not fit the space.
    """
    if isinstance(space, ChainFamily):
        raise ArchatlasError(
            f"`costs.latency.table` {path} is of one size of images and one width, but `space.image_sizes` and "
            f"`space.widths` search {len(space.members)} pairs: set both to null, or `costs.latency.source` to "
            "measured or none"
        )
    table, names = _read(path)
    lacking = [column for column in (*KEY, "operation", "latency_ms") if column not in table]
    if lacking:
        raise ArchatlasError(f"latency table {path} lacks the columns {lacking}; it has {_listed(names)}")
    if unknown := sorted(set(names) - _KNOWN):
        _log.warning("latency table %s: columns that nothing reads: %s", path, _listed(unknown))
    table = _typed(path, table)
    counted = count_parts(space)
    _require_same_parts(path, table, counted, space.name)
    rows = counted[KEY].merge(table, on=KEY, how="left", validate="one_to_one")
    _require_same_operations(path, rows, counted)
    _require_latencies(path, rows)
    _require_one_device(path, rows)
    rows["source"] = "imported"
    for name, value in _WHERE_NOT_SAID.items():
        if name not in rows:
            rows[name] = value
    return rows[list(LATENCY_TYPES)].astype(LATENCY_TYPES)


_READ = {name: kind for name, kind in LATENCY_TYPES.items() if name != "source"} | {"macs": "int64"}
"""Columns that are read, and what they hold."""
_KNOWN = {*_READ, "source", "params", "channels", "height", "width", "file"}
"""Columns of the tables that the latency kit writes; those that are not read say where a row comes from."""
_MOST_ROWS, _MOST_BYTES, _MOST_LETTERS = 100_000, 16_000_000, 1_000
"""No space has so many parts; what is larger, as a file or unpacked, is no such table."""
_MOST_MS, _MOST_WHOLE = 1e6, 1e15
_SHOWN_NAMES = 20
_short = partial(brief, most=60)
_log = logging.getLogger(__name__)

_WHERE_NOT_SAID: dict[str, str | int | float] = {
    "device": "unknown", "batch_size": 0, "threads": 0,
    "latency_lower_quartile_ms": np.nan, "latency_upper_quartile_ms": np.nan,
}  # fmt: skip


def _read(path: Path) -> tuple[pd.DataFrame, list[str]]:
    """The columns that are read, as they stand there, and the names of all."""
    if not path.is_file():
        raise ArchatlasError(f"`costs.latency.table`: there is no file {path}")
    if path.suffix not in (".csv", ".parquet"):
        raise ArchatlasError(f"`costs.latency.table` must be a .csv or .parquet file, but got {path.name}")
    if path.stat().st_size > _MOST_BYTES:
        raise _too_large(path, f"{_MOST_BYTES:,} bytes")
    try:
        return _read_csv(path) if path.suffix == ".csv" else _read_parquet(path)
    except ArchatlasError:
        raise
    except Exception as error:  # Whatever a damaged file leads a reader to.
        raise ArchatlasError(f"{path} cannot be read as a table ({type(error).__name__}: {brief(error)})") from error


def _too_large(path: Path, what: str) -> ArchatlasError:
    return ArchatlasError(f"{path} has more than {what}, and is no latency table: give another file")


def _too_long(path: Path) -> ArchatlasError:
    return _too_large(path, f"{_MOST_LETTERS:,} letters in one text")


def _require_once(path: Path, names: Sequence[str]) -> None:
    twice = sorted({name for name in names if name in _READ and names.count(name) > 1})
    if twice:
        raise ArchatlasError(f"latency table {path} has two columns called {', '.join(twice)}: leave one of them")


def _read_csv(path: Path) -> tuple[pd.DataFrame, list[str]]:
    """Texts; empty ones are NaN. Not pandas' reader, which takes the first column of rows that are too long away."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        names = next(reader, [])
        _require_once(path, names)
        kept = [at for at, name in enumerate(names) if name in _READ]
        rows: list[list[Any]] = []
        for row in filter(None, reader):
            if len(row) != len(names):
                raise ArchatlasError(
                    f"latency table {path}, line {reader.line_num}: {len(row)} values for {len(names)} columns"
                )
            if len(rows) == _MOST_ROWS:
                raise _too_large(path, f"{_MOST_ROWS:,} rows")
            if any(len(row[at]) > _MOST_LETTERS for at in kept):
                raise _too_long(path)
            rows.append([row[at] or np.nan for at in kept])
    return pd.DataFrame(rows, columns=[names[at] for at in kept], dtype=object), names


def _read_parquet(path: Path) -> tuple[pd.DataFrame, list[str]]:
    """Of a file that packs more than it seems to hold, no more is unpacked than its bounds allow."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        described, schema = file.metadata, file.schema_arrow
    if described.num_rows > _MOST_ROWS:
        raise _too_large(path, f"{_MOST_ROWS:,} rows")
    _require_once(path, schema.names)
    names = [name for name in schema.names if name in _READ]
    for name in names:
        if not _is_plain(schema.field(name).type):
            kind = _short(schema.field(name).type)
            raise ArchatlasError(f"latency table {path}: the column {name} must hold numbers or text, not {kind}")
    groups = [described.row_group(number) for number in range(described.num_row_groups)]
    chunks = [group.column(at) for group in groups for at in range(group.num_columns)]
    if sum(one.total_uncompressed_size for one in chunks if one.path_in_schema in names) > _MOST_BYTES:
        raise _too_large(path, f"{_MOST_BYTES:,} bytes when it is unpacked")
    # A long text that many rows have is kept once, until it is known how long it is.
    texts = [name for name in names if not _is_number(schema.field(name).type)]
    with pq.ParquetFile(path, read_dictionary=texts, page_checksum_verification=True) as file:
        table = file.read(columns=names, use_threads=False)
    return pd.DataFrame({name: _values(path, table.column(name)) for name in names}), list(schema.names)


def _is_number(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _is_plain(kind: Any) -> bool:
    import pyarrow as pa

    inner = kind.value_type if pa.types.is_dictionary(kind) else kind
    text = pa.types.is_string(inner) or pa.types.is_large_string(inner)
    return bool(text or _is_number(inner) or pa.types.is_null(inner))


def _values(path: Path, column: Any) -> pd.Series:
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_dictionary(kind):
        for chunk in column.chunks:
            if not _is_number(chunk.dictionary.type):
                _require_short(path, chunk.dictionary)
        column = column.cast(kind.value_type)
    elif not _is_number(kind) and not pa.types.is_null(kind):
        _require_short(path, pc.unique(column))
    values: pd.Series = column.to_pandas()
    return values


def _require_short(path: Path, texts: Any) -> None:
    import pyarrow.compute as pc

    if (pc.max(pc.binary_length(texts)).as_py() or 0) > _MOST_LETTERS:
        raise _too_long(path)


def _typed(path: Path, table: pd.DataFrame) -> pd.DataFrame:
    """The table with its columns of numbers as such; ArchatlasError names the first value that is none."""
    typed = table.copy()
    for column in [name for name, kind in _READ.items() if kind != "str" and name in table]:
        numbers = pd.to_numeric(table[column], errors="coerce").astype("float64")
        whole = _READ[column] == "int64"
        bad = numbers.isna() & table[column].notna()
        if whole:
            bad |= ~(numbers.abs() <= _MOST_WHOLE) | (numbers % 1 != 0)
        if bad.any():
            value, row = table.loc[bad, column].iloc[0], int(bad.to_numpy().argmax())
            raise ArchatlasError(
                f"latency table {path}: {column} is {_short(value)!r} in row {row}, but must be "
                f"{'a whole number' if whole else 'a number'}"
            )
        typed[column] = numbers.astype("int64") if whole else numbers
    return typed.astype({name: "str" for name in ("part", "operation", "device") if name in typed})


def _require_one_device(path: Path, rows: pd.DataFrame) -> None:
    for column in (name for name in ("device", "batch_size", "threads") if name in rows):
        if rows[column].nunique(dropna=False) > 1:
            values = ", ".join(map(_short, rows[column].unique()[:3]))
            raise ArchatlasError(
                f"latency table {path} mixes several values of {column} ({values}): latencies of parts are summed, and "
                "must be of one device, batch size and number of threads"
            )


def _require_same_parts(path: Path, table: pd.DataFrame, counted: pd.DataFrame, space: str) -> None:
    given, wanted = pd.MultiIndex.from_frame(table[KEY]), pd.MultiIndex.from_frame(counted[KEY])
    if given.has_duplicates:
        raise ArchatlasError(f"latency table {path} has two rows for {_spell(given[given.duplicated()])}")
    missing, extra = wanted[~wanted.isin(given)], given[~given.isin(wanted)]
    if len(missing):
        raise ArchatlasError(f"latency table {path} lacks parts of {space} ({len(missing)}): {_spell(missing)}")
    if len(extra):
        raise ArchatlasError(f"latency table {path} has parts that {space} has not ({len(extra)}): {_spell(extra)}")


def _require_same_operations(path: Path, rows: pd.DataFrame, counted: pd.DataFrame) -> None:
    compared = ["operation", "macs"] if "macs" in rows else ["operation"]
    for column in compared:
        wrong = rows[column].to_numpy() != counted[column].to_numpy()
        if wrong.any():
            part = _spell(pd.MultiIndex.from_frame(counted.loc[wrong, KEY].iloc[:1]))
            raise ArchatlasError(
                f"latency table {path} was made for another space: {column} of {part} is "
                f"{_short(rows.loc[wrong, column].iloc[0])} there, but {counted.loc[wrong, column].iloc[0]} here. Make "
                "the table anew with `kedro run --pipelines latency_kit`."
            )


def _require_latencies(path: Path, rows: pd.DataFrame) -> None:
    for column in (name for name in MEASURED if name in rows):
        good = (rows[column] >= 0) & (rows[column] <= _MOST_MS)
        if column != "latency_ms":
            good |= rows[column].isna()
        if not good.all():
            bad = rows[~good]
            raise ArchatlasError(
                f"latency table {path}: {column} must be a number of at least 0, and at most {_MOST_MS:g}, but is "
                f"{bad[column].iloc[0]} for {_spell(pd.MultiIndex.from_frame(bad[KEY]))}"
            )
    for column in (name for name in ("batch_size", "threads") if name in rows):
        if rows[column].min() < 0:
            raise ArchatlasError(f"latency table {path}: {column} is {rows[column].min()}, but must be 0 at least")


def _spell(parts: pd.MultiIndex, most: int = 5) -> str:
    names = [f"{_short(part)} {position} choice {choice}" for part, position, choice in parts[:most]]
    return ", ".join(names) + (f" and {len(parts) - most} more" if len(parts) > most else "")


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
    return ", ".join(map(_short, names[:_SHOWN_NAMES])) + more
