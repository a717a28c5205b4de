"""Latency tables that were made on another device, and what makes such a table fit a space."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from archatlas.costs.counting import KEY, count_parts
from archatlas.costs.latency_columns import LATENCY_TYPES
from archatlas.errors import ArchatlasError
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
    table = _read(path)
    lacking = [column for column in (*KEY, "operation", "latency_ms") if column not in table]
    if lacking:
        raise ArchatlasError(f"latency table {path} lacks the columns {lacking}; it has {list(table.columns)}")
    if unknown := sorted(set(map(str, table.columns)) - _KNOWN):
        _log.warning("latency table %s: columns that nothing reads: %s", path, ", ".join(unknown))
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


_KNOWN = {*LATENCY_TYPES, "macs", "params", "channels", "height", "width", "file"}
"""Columns of the tables that the latency kit writes; those that are not read say where a row comes from."""
_MOST_ROWS, _MOST_BYTES = 100_000, 64_000_000
"""No space has so many parts; what is larger is no such table."""
_MOST_MS = 1e6
_log = logging.getLogger(__name__)

_WHERE_NOT_SAID: dict[str, str | int | float] = {
    "device": "unknown", "batch_size": 0, "threads": 0,
    "latency_lower_quartile_ms": np.nan, "latency_upper_quartile_ms": np.nan,
}  # fmt: skip


def _read(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise ArchatlasError(f"`costs.latency.table`: there is no file {path}")
    if path.suffix not in (".csv", ".parquet"):
        raise ArchatlasError(f"`costs.latency.table` must be a .csv or .parquet file, but got {path.name}")
    try:
        too_large = path.stat().st_size > _MOST_BYTES or (path.suffix == ".parquet" and _rows_of(path) > _MOST_ROWS)
        table = None if too_large else pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
    except Exception as error:
        raise ArchatlasError(f"{path} cannot be read as a table ({type(error).__name__}: {error})") from error
    if table is None or len(table) > _MOST_ROWS:
        raise ArchatlasError(f"{path} has more than {_MOST_ROWS:,} rows, and is no latency table: give another file")
    return table


def _rows_of(path: Path) -> int:
    import pyarrow.parquet as pq

    return int(pq.ParquetFile(path).metadata.num_rows)


def _typed(path: Path, table: pd.DataFrame) -> pd.DataFrame:
    """The table with its columns of numbers as such; ArchatlasError names the first value that is none."""
    typed = table.copy()
    for column in [name for name, kind in LATENCY_TYPES.items() if kind != "str" and name in table]:
        numbers = pd.to_numeric(table[column], errors="coerce").astype("float64")
        whole = LATENCY_TYPES[column] == "int64"
        bad = numbers.isna() & table[column].notna()
        if whole:
            bad |= ~np.isfinite(numbers) | (numbers % 1 != 0)
        if bad.any():
            value, row = table.loc[bad, column].iloc[0], int(bad.to_numpy().argmax())
            raise ArchatlasError(
                f"latency table {path}: {column} is {str(value)!r} in row {row}, but must be "
                f"{'a whole number' if whole else 'a number'}"
            )
        typed[column] = numbers.astype("int64") if whole else numbers
    return typed.astype({name: "str" for name in ("part", "operation", "device") if name in typed})


def _require_one_device(path: Path, rows: pd.DataFrame) -> None:
    for column in (name for name in ("device", "batch_size", "threads") if name in rows):
        if rows[column].nunique(dropna=False) > 1:
            values = ", ".join(map(str, rows[column].unique()[:3]))
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
                f"{rows.loc[wrong, column].iloc[0]} there, but {counted.loc[wrong, column].iloc[0]} here. Make the "
                "table anew with `kedro run --pipelines latency_kit`."
            )


def _require_latencies(path: Path, rows: pd.DataFrame) -> None:
    good = np.isfinite(rows["latency_ms"]) & (rows["latency_ms"] >= 0) & (rows["latency_ms"] <= _MOST_MS)
    if not good.all():
        bad = rows[~good]
        raise ArchatlasError(
            f"latency table {path}: latency_ms must be a number of at least 0, and at most {_MOST_MS:g}, but is "
            f"{bad['latency_ms'].iloc[0]} for {_spell(pd.MultiIndex.from_frame(bad[KEY]))}"
        )


def _spell(parts: pd.MultiIndex, most: int = 5) -> str:
    names = [f"{part} {position} choice {choice}" for part, position, choice in parts[:most]]
    return ", ".join(names) + (f" and {len(parts) - most} more" if len(parts) > most else "")
