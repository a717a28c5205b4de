"""Data sets that Kedro lacks: a folder, a table written while it is made, partitions that may be none."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pandas as pd
from kedro.io import AbstractDataset, DatasetError
from kedro_datasets.partitions import PartitionedDataset


class FolderDataset(AbstractDataset[None, Path]):
    """A folder on this machine, made when first loaded. Loading gives its path; nodes put into it what they like."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._path = Path(filepath)
        self.metadata = metadata

    def load(self) -> Path:
        self._path.mkdir(parents=True, exist_ok=True)
        return self._path

    def save(self, data: None) -> None:
        raise DatasetError("a FolderDataset is an input only: nodes write into the folder themselves")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._path.as_posix()}


class ParquetStreamDataset(AbstractDataset[pd.DataFrame | Iterable[pd.DataFrame], pd.DataFrame]):
    """A Parquet table saved from a DataFrame, or chunk by chunk from an iterable of them in bounded memory.

    All chunks have the schema of the first. Chunks go to a temporary file: the table appears whole or not at all.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._path = Path(filepath)
        self.metadata = metadata

    def load(self) -> pd.DataFrame:
        return pd.read_parquet(self._path)

    def save(self, data: pd.DataFrame | Iterable[pd.DataFrame]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.parent / f".{self._path.name}.{uuid4().hex}.partial"
        writer = None
        try:
            for chunk in [data] if isinstance(data, pd.DataFrame) else data:
                table = pa.Table.from_pandas(chunk, preserve_index=False)
                if writer is None:
                    writer = pq.ParquetWriter(temporary, table.schema)
                writer.write_table(table.cast(writer.schema))
            if writer is None:
                raise DatasetError(f"{self._path}: there was no chunk to save, not even an empty one")
            writer.close()
            writer = None
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
            os.replace(temporary, self._path)
        finally:
            if writer is not None:
                writer.close()
            temporary.unlink(missing_ok=True)

    def _exists(self) -> bool:
        return self._path.exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._path.as_posix()}


class MaybeEmptyPartitions(PartitionedDataset):  # type: ignore[misc]
    """Partitions of which there may be none: loading then gives an empty dictionary where Kedro's own raises."""

    def load(self) -> dict[str, Callable[[], Any]]:
        return super().load() if self._list_partitions() else {}
