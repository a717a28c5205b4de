"""What made each result: a record per node and fingerprint, and which results are the current ones."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from archatlas.kedro_ext.usage import NodeUsage
from archatlas.storage.atomic import atomic_path


@dataclass(frozen=True)
class Artifact:
    """A file or folder as a node left it.

    ``path`` is relative to the project where it lies in it; ``sha256`` is that of the file's bytes, or of a folder's
    files (:class:`archatlas.kedro_ext.digests.Content`).
    """

    path: str
    version: str | None
    size: int
    sha256: str


@dataclass(frozen=True)
class NodeRecord:
    """A run of a node: what it depended on (``parts``, and ``key``, their fingerprint) and what it left."""

    node: str
    key: str
    parts: dict[str, Any]
    outputs: dict[str, Artifact]
    session: str
    usage: NodeUsage


def fingerprint(parts: Any) -> str:
    """SHA-256 over a JSON document, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def _time(file: Path) -> int:
    return file.stat().st_mtime_ns


class RecordStore:
    """Records of nodes and of what is current, as JSON files in a folder; each written whole or not at all.

    A damaged record counts as none: the node then runs again.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, node: str, key: str) -> NodeRecord | None:
        """The record of a node's run with this fingerprint, if there was one."""
        return self._read(self._file(node, key))

    @staticmethod
    def _read(file: Path) -> NodeRecord | None:
        try:
            return _parsed(json.loads(file.read_text()))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def save(self, record: NodeRecord) -> None:
        with atomic_path(self._file(record.node, record.key)) as temporary:
            temporary.write_text(json.dumps(asdict(record), indent=1))

    def mark_used(self, record: NodeRecord) -> None:
        """Make the record the node's newest."""
        self._file(record.node, record.key).touch()

    def newest(self, node: str) -> NodeRecord | None:
        """The record of a node that was written or used last."""
        files = sorted(self._file(node, "*").parent.glob("*.json"), key=_time)
        return next((found for file in reversed(files) if (found := self.find(node, file.stem))), None)

    def since(self, node: str) -> list[NodeRecord]:
        """The newest record of every node that was written or used after ``node`` was; none if it never was."""
        own = self._times(node)
        if not own:
            return []
        folders = sorted(path for path in (self._folder / "nodes").iterdir() if path.is_dir())
        newest = [max(folder.glob("*.json"), key=_time, default=None) for folder in folders]
        later = [file for file in newest if file is not None and _time(file) > max(own)]
        return [record for file in later if (record := self._read(file)) is not None]

    def _times(self, node: str) -> list[int]:
        return [_time(file) for file in self._file(node, "*").parent.glob("*.json")]

    def _file(self, node: str, key: str) -> Path:
        # Names of nodes may hold any character; most are plain.
        plain = "".join(letter if letter.isalnum() or letter in "._-" else "_" for letter in node)
        folder = plain if plain == node else f"{plain}-{hashlib.sha256(node.encode()).hexdigest()[:8]}"
        return self._folder / "nodes" / folder / f"{key}.json"


def _parsed(document: Mapping[str, Any]) -> NodeRecord:
    outputs = {name: Artifact(**artifact) for name, artifact in document["outputs"].items()}
    return NodeRecord(**{**document, "outputs": outputs, "usage": NodeUsage(**document["usage"])})


class CurrentResults:
    """Which version of each data set is the current one: what runs, notebooks and kedro-viz load."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "current.json"

    def load(self) -> dict[str, Artifact]:
        """The current artifacts by data set; none if there is no such file, or it is damaged."""
        try:
            return {name: Artifact(**one) for name, one in json.loads(self._file.read_text())["outputs"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}

    def update(self, outputs: Mapping[str, Artifact]) -> None:
        """Make these the current ones of their data sets."""
        known = self.load()
        if all(known.get(name) == artifact for name, artifact in outputs.items()):
            return
        document = {"outputs": {name: asdict(artifact) for name, artifact in sorted({**known, **outputs}.items())}}
        with atomic_path(self._file) as temporary:
            temporary.write_text(json.dumps(document, indent=1))
