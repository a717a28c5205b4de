"""Parquet tables that are read when they are asked for, however many rows they have."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import TypeAlias, overload

import pandas as pd

_PART = 2**18
"""Rows of a part, where row groups are no larger: some 20 MB of an atlas."""


class TableFile:
    """A table that lies in a file, of which a column, or one part after the other, is held in memory.

    Columns are asked for as those of a DataFrame. What is read is held against the file's checksums. Raises what
    pyarrow does if the file is damaged; ``reading`` gives the context of each time that it is read, which may say it
    in other words.
    """

    def __init__(self, path: Path, reading: Callable[[], AbstractContextManager[None]] = nullcontext) -> None:
        import pyarrow.parquet as pq

        self._path, self._reading = path, reading
        self._metadata = pq.read_metadata(path)

    def __len__(self) -> int:
        return int(self._metadata.num_rows)

    @property
    def empty(self) -> bool:
        return len(self) == 0

    @cached_property
    def columns(self) -> list[str]:
        return list(self._metadata.schema.to_arrow_schema().names)

    def __contains__(self, name: object) -> bool:
        return name in self.columns

    @overload
    def __getitem__(self, asked: str) -> pd.Series: ...

    @overload
    def __getitem__(self, asked: list[str]) -> pd.DataFrame: ...

    def __getitem__(self, asked: str | list[str]) -> pd.Series | pd.DataFrame:
        names = [asked] if isinstance(asked, str) else asked
        for name in names:
            if name not in self.columns:
                raise KeyError(name)
        read = self._read(names)
        return read[asked]

    def __repr__(self) -> str:
        return f"<{len(self):,} rows of {self._path.name}: {', '.join(self.columns)}; .table() has them as a DataFrame>"

    def table(self) -> pd.DataFrame:
        """All of it."""
        return self._read(None)

    def parts(self) -> Iterator[pd.DataFrame]:
        """All rows in their order, some at a time: whole row groups, together at most ``_PART`` rows if that can be."""
        import pyarrow.parquet as pq

        with self._reading():
            opened = pq.ParquetFile(self._path, page_checksum_verification=True)
        with opened as file:
            for groups in self._row_groups():
                with self._reading():
                    part: pd.DataFrame = file.read_row_groups(groups).to_pandas()
                yield part

    def _row_groups(self) -> Iterator[list[int]]:
        """Numbers of the row groups of each part; there is always one."""
        groups: list[int] = []
        rows = 0
        for number in range(self._metadata.num_row_groups):
            more = self._metadata.row_group(number).num_rows
            if groups and rows + more > _PART:
                yield groups
                groups, rows = [], 0
            groups, rows = [*groups, number], rows + more
        yield groups

    def _read(self, columns: list[str] | None) -> pd.DataFrame:
        with self._reading():
            return pd.read_parquet(self._path, engine="pyarrow", columns=columns, page_checksum_verification=True)


AnyTable: TypeAlias = pd.DataFrame | TableFile


def parts_of(table: AnyTable) -> Iterator[pd.DataFrame]:
    """A table's rows in their order, some at a time; one that is in memory is one part."""
    if isinstance(table, TableFile):
        yield from table.parts()
    else:
        yield table
