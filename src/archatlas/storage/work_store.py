"""Partial work of long stages, kept so that a killed run goes on where it stopped.

Kedro refuses one data set as both input and output of a node, so work in progress lives here, outside the catalog. Each
task is keyed by the fingerprint of everything that makes it: work made under other settings is never resumed.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from archatlas.storage.keeper import keeper

_log = logging.getLogger(__name__)


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
        digest.update(np.ascontiguousarray(part).reshape(-1).view(np.uint8))  # Not `tobytes`: images may be large.
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


_DIGEST_SIZE = hashlib.sha256().digest_size


@dataclass(frozen=True)
class WorkStore:
    """A folder of finished parts: tables (Parquet), JSON documents, tensors (safetensors); each written atomically.

    A part's file ends in the SHA-256 of its task, its key and what stands before it, so that one file holds both and no
    kill comes between them. A part whose bytes are not those that were written there counts as not done, with a
    warning: it is made anew. So does another task's or key's that was put in its place. A folder in a part's place is
    refused (OSError) when it is looked for: nothing could be written there after the work of making the part. The files
    lie on the disk, or in a task on another machine with the process that sent it (:mod:`archatlas.storage.keeper`).
    """

    folder: Path

    def task(self, name: str, *made_by: object) -> WorkStore:
        """The store of one task: a sub-folder named by the task and by the fingerprint of what makes it."""
        return WorkStore(self.folder / f"{name}-{fingerprint(*made_by)}")

    def discard(self) -> None:
        """Delete the folder and all that it holds."""
        keeper().discard(self.folder)

    def keys(self, suffix: str) -> list[str]:
        """Names of the finished parts with this suffix (``".parquet"``, ``".json"``, ``".safetensors"``), sorted."""
        return sorted(name.removesuffix(suffix) for name in keeper().names(self.folder) if name.endswith(suffix))

    def save_table(self, key: str, table: pd.DataFrame) -> None:
        content = BytesIO()
        table.to_parquet(content, index=False)
        self._write(f"{key}.parquet", content.getvalue())

    def load_table(self, key: str) -> pd.DataFrame | None:
        """The part's table, or None if it is not done."""
        return self._read(f"{key}.parquet", lambda content: pd.read_parquet(BytesIO(content)))

    def save_json(self, key: str, document: object) -> None:
        self._write(f"{key}.json", json.dumps(document, indent=2).encode())

    def load_json(self, key: str) -> Any | None:
        """The part's document, or None if it is not done."""
        return self._read(f"{key}.json", json.loads)

    def save_tensors(self, key: str, tensors: Mapping[str, Any]) -> None:
        from safetensors.torch import save

        content = save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()})
        self._write(f"{key}.safetensors", content)

    def load_tensors(self, key: str) -> dict[str, Any] | None:
        """The part's tensors by name, or None if it is not done."""
        from safetensors.torch import load

        return self._read(f"{key}.safetensors", load)

    def _write(self, name: str, content: bytes) -> None:
        keeper().write(self.folder / name, content + self._digest(name, content))

    def _digest(self, name: str, content: bytes) -> bytes:
        return hashlib.sha256(f"{self.folder.name}/{name}\0".encode() + content).digest()

    def _read(self, name: str, parse: Callable[[bytes], Any]) -> Any | None:
        path = self.folder / name
        try:
            whole = keeper().read(path)
            content, digest = whole[:-_DIGEST_SIZE], whole[-_DIGEST_SIZE:]
            if self._digest(name, content) != digest:
                raise ValueError("its bytes are not those that were written there")
            return parse(content)
        except FileNotFoundError:
            return None
        except (IsADirectoryError, NotADirectoryError):
            raise
        except Exception as error:  # Also a whole part that these versions of the libraries cannot read.
            _log.warning("%s is damaged (%s). Only this part is made anew.", path, error)
            return None
