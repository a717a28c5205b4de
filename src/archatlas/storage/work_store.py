"""Partial work of long stages, kept so that a killed run goes on where it stopped.

Kedro refuses one data set as both input and output of a node, so work in progress lives here, outside the catalog. Each
task is keyed by the fingerprint of everything that makes it: work made under other settings is never resumed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from archatlas.errors import ArchatlasError
from archatlas.storage.atomic import atomic_path


def fingerprint(*parts: object) -> str:
    """A short SHA-256 digest over the parts, the same on every machine and in every session.

    Parts may be None, str, bytes, numbers, sequences and mappings of these, pydantic models, NumPy arrays and tensors.
    """
    digest = hashlib.sha256()
    for part in parts:
        _update(digest, part)
    return digest.hexdigest()[:16]


def _update(digest: Any, part: object) -> None:
    if hasattr(part, "model_dump_json"):
        _update(digest, part.model_dump_json())
    elif hasattr(part, "detach"):
        _update(digest, part.detach().cpu().numpy())
    elif hasattr(part, "tobytes") and hasattr(part, "dtype"):
        digest.update(f"array:{part.dtype}:{getattr(part, 'shape', ())}:".encode())
        digest.update(part.tobytes())
    elif isinstance(part, bytes):
        digest.update(b"bytes:" + part)
    elif isinstance(part, Mapping):
        digest.update(f"mapping:{len(part)}:".encode())
        for key in sorted(part, key=str):
            _update(digest, str(key))
            _update(digest, part[key])
    elif isinstance(part, list | tuple):
        digest.update(f"sequence:{len(part)}:".encode())
        for item in part:
            _update(digest, item)
    elif part is None or isinstance(part, str | int | float | bool):
        digest.update(f"{type(part).__name__}:{part!r};".encode())
    else:
        raise TypeError(f"cannot fingerprint a {type(part).__name__}")


@dataclass(frozen=True)
class WorkStore:
    """A folder of finished parts: tables (Parquet), JSON documents, tensors (safetensors); each written atomically."""

    folder: Path

    def task(self, name: str, *made_by: object) -> WorkStore:
        """The store of one task: a sub-folder named by the task and by the fingerprint of what makes it."""
        return WorkStore(self.folder / f"{name}-{fingerprint(*made_by)}")

    def keys(self, suffix: str) -> list[str]:
        """Names of the finished parts with this suffix (``".parquet"``, ``".json"``, ``".safetensors"``), sorted."""
        return sorted(path.name.removesuffix(suffix) for path in self.folder.glob(f"[!.]*{suffix}"))

    def save_table(self, key: str, table: pd.DataFrame) -> None:
        with atomic_path(self.folder / f"{key}.parquet") as path:
            table.to_parquet(path, index=False)

    def load_table(self, key: str) -> pd.DataFrame | None:
        """The part's table, or None if it has not been finished."""
        return self._read(self.folder / f"{key}.parquet", pd.read_parquet)

    def save_json(self, key: str, document: object) -> None:
        with atomic_path(self.folder / f"{key}.json") as path:
            path.write_text(json.dumps(document, indent=2))

    def load_json(self, key: str) -> Any | None:
        """The part's document, or None if it has not been finished."""
        return self._read(self.folder / f"{key}.json", lambda path: json.loads(path.read_text()))

    def save_tensors(self, key: str, tensors: Mapping[str, Any]) -> None:
        from safetensors.torch import save_file

        with atomic_path(self.folder / f"{key}.safetensors") as path:
            save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, path)

    def load_tensors(self, key: str) -> dict[str, Any] | None:
        """The part's tensors by name, or None if it has not been finished."""
        from safetensors.torch import load_file

        return self._read(self.folder / f"{key}.safetensors", load_file)

    @staticmethod
    def _read(path: Path, reader: Any) -> Any | None:
        if not path.exists():
            return None
        try:
            return reader(path)
        except Exception as error:
            raise ArchatlasError(
                f"{path} is damaged and cannot be read ({type(error).__name__}: {error}). Delete it and run again: "
                "only this part is made anew."
            ) from error
