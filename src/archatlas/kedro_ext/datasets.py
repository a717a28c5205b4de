"""Data sets whose saves are atomic, that Kedro can version, and whose libraries are imported when they are used.

Kedro's own write in place, so that a killed run leaves half a file under the name of a whole one, and they import
pandas, plotly or torch as soon as a catalog is made. These serve the file system of this machine only.
"""

from __future__ import annotations

import json
import os
import shutil
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from kedro.io import AbstractDataset, AbstractVersionedDataset, DatasetError, Version
from kedro.io.core import VersionNotFoundError
from kedro_datasets._typing import JSONPreview, PlotlyPreview, TablePreview

from archatlas.storage.atomic import atomic_folder, atomic_path

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go
    from torch import Tensor

    from archatlas.storage.table_file import TableFile

Saved = TypeVar("Saved")
Loaded = TypeVar("Loaded")


class AtomicDataset(AbstractVersionedDataset[Saved, Loaded]):
    """A file that is saved whole or not at all; with ``versioned: true``, at ``<filepath>/<version>/<name>``.

    What cannot be read ends in a DatasetError that names the file and says to run again (the catalog puts the name of
    the data set before it). A save that fails leaves what was there.
    """

    holds: ClassVar[str]
    """What the file is, for messages."""

    is_folder: ClassVar[bool] = False

    def __init__(
        self, *, filepath: str, version: Version | None = None, metadata: dict[str, Any] | None = None
    ) -> None:
        super().__init__(PurePosixPath(filepath), version)
        self.metadata = metadata

    @abstractmethod
    def read(self, path: Path) -> Loaded:
        """What lies at ``path``; any exception tells of damage."""

    @abstractmethod
    def write(self, path: Path, data: Saved) -> None:
        """Write ``data`` to ``path``, which is temporary."""

    def load(self) -> Loaded:
        path = self._existing()
        with _damage_told(path, self.holds):
            if path.is_dir() != self.is_folder:
                raise OSError("a file lies there" if self.is_folder else "a folder lies there")
            return self.read(path)

    def save(self, data: Saved) -> None:
        if self._version and Path(self._filepath).is_file():
            raise DatasetError(
                f"{self._filepath} is a file of a run without versions, where the folder of versions belongs. "
                "Move it away or delete it, and run again."
            )
        path = Path(self._get_save_path())
        atomic = atomic_folder if self.is_folder else atomic_path
        try:
            with atomic(path) as temporary:
                self.write(temporary, data)
        except DatasetError:
            raise
        except Exception as error:
            raise DatasetError(
                f"{path} was not written ({_brief(error)}). What was there before is as it was."
            ) from error

    def _existing(self) -> Path:
        try:
            path = Path(self._get_load_path())
        except VersionNotFoundError as error:
            raise DatasetError(f"there is no version in {self._filepath} yet. {_AGAIN}") from error
        if not path.exists():
            versions = self.list_versions(full_path=False)[:3] if self._version else []
            others = f" (the newest versions are {', '.join(versions)})" if versions else ""
            raise DatasetError(f"there is no {path}{others}. {_AGAIN}")
        return path

    def _exists(self) -> bool:
        return Path(self._get_load_path()).exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath, "version": self._version}


_AGAIN = "Run again: the node that makes it makes it anew."


@contextmanager
def _damage_told(path: Path, holds: str) -> Iterator[None]:
    try:
        yield
    except (DatasetError, ImportError):
        raise
    except Exception as error:
        raise DatasetError(f"{path} is damaged or is no {holds} ({_brief(error)}). {_AGAIN}") from error


def _brief(error: Exception) -> str:
    """The type and the first line of an error; some libraries list all that they would have taken."""
    first = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {first[:300]}" if first else type(error).__name__


class JSONDataset(AtomicDataset[Any, Any]):
    """A JSON document, indented; keys keep their order. The same content gives the same bytes everywhere."""

    holds = "JSON document"

    def read(self, path: Path) -> Any:
        return json.loads(path.read_bytes())

    def write(self, path: Path, data: Any) -> None:
        path.write_bytes(json.dumps(data, indent=2).encode("ascii"))

    def preview(self) -> JSONPreview:
        return JSONPreview(json.dumps(self.load()))


class TextDataset(AtomicDataset[str, str]):
    """A text in UTF-8, whatever the locale; ends of lines stay as they are."""

    holds = "text in UTF-8"

    def read(self, path: Path) -> str:
        return path.read_bytes().decode("utf-8")

    def write(self, path: Path, data: str) -> None:
        path.write_bytes(data.encode("utf-8"))


class _TableDataset(AtomicDataset["pd.DataFrame | Iterable[pd.DataFrame]", Loaded]):
    """A Parquet table, saved from a DataFrame, or chunk by chunk from an iterable of them in bounded memory.

    All chunks have the schema of the first; the index is not saved. Pages have checksums: a flipped bit is noticed.
    """

    holds = "Parquet table"

    def write(self, path: Path, data: pd.DataFrame | Iterable[pd.DataFrame]) -> None:
        import pandas as pd
        import pyarrow as pa
        import pyarrow.parquet as pq

        chunks = iter([data] if isinstance(data, pd.DataFrame) else data)
        tables = (pa.Table.from_pandas(chunk, preserve_index=False) for chunk in chunks)
        first = next(tables, None)
        if first is None:
            raise DatasetError("there was no chunk to save, not even an empty one")
        with pq.ParquetWriter(path, first.schema, write_page_checksum=True) as writer:
            writer.write_table(first)
            for table in tables:
                writer.write_table(table.cast(first.schema))

    def preview(self, nrows: int = 20) -> TablePreview:
        """The first rows; no more of the table is read than they need."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        with pq.ParquetFile(self._existing()) as file:
            rows = pa.Table.from_batches(islice(file.iter_batches(nrows), 1), file.schema_arrow)
        return TablePreview(rows.to_pandas().to_dict(orient="split"))


class ParquetDataset(_TableDataset["pd.DataFrame"]):
    """A Parquet table (:class:`_TableDataset`), loaded as a DataFrame."""

    def read(self, path: Path) -> pd.DataFrame:
        import pandas as pd

        return pd.read_parquet(path, engine="pyarrow", page_checksum_verification=True)


class TableFileDataset(_TableDataset["TableFile"]):
    """The same, of which nothing is read before it is asked for: a column, or part by part."""

    saved_as = ParquetDataset

    def read(self, path: Path) -> TableFile:
        from archatlas.storage.table_file import TableFile

        return TableFile(path, partial(_damage_told, path, self.holds))


class PlotlyDataset(AtomicDataset["go.Figure", "go.Figure"]):
    """A plotly figure as JSON."""

    holds = "plotly figure"

    def read(self, path: Path) -> go.Figure:
        import plotly.io

        return plotly.io.from_json(path.read_bytes().decode("utf-8"))

    def write(self, path: Path, data: go.Figure) -> None:
        # Not the engine that plotly takes by itself: that depends on what is installed.
        path.write_bytes(data.to_json(engine="json").encode("utf-8"))

    def preview(self) -> PlotlyPreview:
        return PlotlyPreview(json.loads(self._existing().read_bytes()))


class TensorsDataset(AtomicDataset["Mapping[str, Tensor]", "dict[str, Tensor]"]):
    """PyTorch tensors by name, as safetensors."""

    holds = "safetensors file"

    def read(self, path: Path) -> dict[str, Tensor]:
        return _read_tensors(path)

    def write(self, path: Path, data: Mapping[str, Tensor]) -> None:
        from safetensors.torch import save_file

        save_file(dict(data), path)


class TensorPartitionsDataset(
    AtomicDataset["Mapping[str, Mapping[str, Tensor]]", "dict[str, Callable[[], dict[str, Tensor]]]"]
):
    """A folder of safetensors files, one per key; there may be none. Loading gives a function per key that reads it.

    Unlike Kedro's partitions, they appear all at once: a folder that is there holds all that the node gave.
    """

    holds = "folder of safetensors files"
    is_folder = True

    def read(self, path: Path) -> dict[str, Callable[[], dict[str, Tensor]]]:
        return {file.stem: partial(_read_tensors, file) for file in sorted(path.glob("*.safetensors"))}

    def write(self, path: Path, data: Mapping[str, Mapping[str, Tensor]]) -> None:
        from safetensors.torch import save_file

        for key, tensors in data.items():
            file = f"{key}.safetensors"
            if Path(file).stem != key:
                raise DatasetError(f"the key {key!r} is no name for a file")
            save_file(dict(tensors), path / file)


def _read_tensors(file: Path) -> dict[str, Tensor]:
    from archatlas.storage.tensor_files import read_tensors

    with _damage_told(file, TensorsDataset.holds):
        return read_tensors(file)


class FolderDataset(AtomicDataset[Path, Path]):
    """A folder that a node has filled: the node gives its path and the folder away, for it is moved to its place.

    Where it lies on another file system it is copied. Loading gives the path of the version.
    """

    holds = "folder"
    is_folder = True

    def read(self, path: Path) -> Path:
        return path

    def write(self, path: Path, data: Path) -> None:
        if not data.is_dir():
            raise DatasetError(f"the node gave {data}, which is no folder")
        try:
            os.rename(data, path)
        except OSError:
            shutil.copytree(data, path, symlinks=True, dirs_exist_ok=True)
            shutil.rmtree(data)


class WorkFolderDataset(AbstractDataset[None, Path]):
    """A folder, made when first loaded and never versioned. Loading gives its path; nodes write into it themselves."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._path = Path(filepath)
        self.metadata = metadata

    def load(self) -> Path:
        self._path.mkdir(parents=True, exist_ok=True)
        return self._path

    def save(self, data: None) -> None:
        raise DatasetError(f"the work folder {self._path} is an input only: nodes write into it themselves")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._path.as_posix()}
