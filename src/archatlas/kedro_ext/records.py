"""What made each result: a record per node and fingerprint, and which results are the current ones."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from archatlas.kedro_ext.usage import NodeUsage
from archatlas.storage.atomic import atomic_path

_log = logging.getLogger(__name__)


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


def _write(file: Path, content: Any) -> None:
    with atomic_path(file) as temporary:
        temporary.write_text(json.dumps({"content": content, "sha256": fingerprint(content)}, indent=1))


def _read(file: Path) -> Any:
    """What ``_write`` has written there; None if there is nothing, or anything else.

    A folder there is refused (OSError), before the work of a node: no record could be written in its place after it.
    """
    try:
        document = json.loads(file.read_text())
        content = document["content"]
        return content if document["sha256"] == fingerprint(content) else None
    except (IsADirectoryError, NotADirectoryError):
        raise
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


class RecordStore:
    """Records of nodes, as JSON files in a folder; each written whole or not at all, with its own SHA-256.

    A record that is damaged, or lies where another's place is, counts as none: the node then runs again.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, node: str, key: str) -> NodeRecord | None:
        """The record of a node's run with this fingerprint, if there was one."""
        return self._read(self._file(node, key))

    def _read(self, file: Path) -> NodeRecord | None:
        try:
            record = _parsed(_read(file))
            return record if self._file(record.node, record.key) == file else None
        except (KeyError, TypeError, AttributeError):
            return None

    def save(self, record: NodeRecord) -> None:
        _write(self._file(record.node, record.key), asdict(record))

    def mark_used(self, record: NodeRecord) -> None:
        """Make the record the node's newest."""
        self._file(record.node, record.key).touch()

    def newest(self, node: str) -> NodeRecord | None:
        """The record of a node that was written or used last."""
        return next(self.of(node), None)

    def of(self, node: str) -> Iterator[NodeRecord]:
        """The records of a node, that which was written or used last first."""
        for file in sorted(self._file(node, "*").parent.glob("*.json"), key=_time, reverse=True):
            if (found := self.find(node, file.stem)) is not None:
                yield found

    def since(self, node: str) -> list[NodeRecord]:
        """The newest record of every node that was written or used after ``node`` was; none if it never was."""
        own = self._times(node)
        if not own:
            return []
        return [record for record, time in self.newest_of_all() if time > max(own)]

    def seconds_with(self, node: str, stages: Collection[str]) -> float:
        """What ``node`` took when it was last run, and those of the nodes of ``stages`` that the same session has run.

        A node's stage is what stands before the dot of its name.
        """
        own = self.newest(node)
        if own is None:
            return 0.0
        beside = [
            record.usage.seconds
            for record, _ in self.newest_of_all()
            if record.session == own.session and record.node.partition(".")[0] in stages
        ]
        return own.usage.seconds + sum(beside)

    def seconds_of(self, stage: str) -> float | None:
        """What the nodes of a stage took when each was last run; None if none was."""
        own = [one.usage.seconds for one, _ in self.newest_of_all() if one.node.partition(".")[0] == stage]
        return sum(own) if own else None

    def newest_of_all(self) -> list[tuple[NodeRecord, int]]:
        """The record of every node that was written or used last, and when, in nanoseconds; in the order of time."""
        folders = (self._folder / "nodes").iterdir() if (self._folder / "nodes").is_dir() else ()
        found = []
        for folder in folders:
            files = sorted(folder.glob("*.json"), key=_time, reverse=True)
            read = ((record, _time(file)) for file in files if (record := self._read(file)) is not None)
            found += [newest] if (newest := next(read, None)) is not None else []
        return sorted(found, key=lambda one: one[1])

    def all(self) -> list[tuple[Path, NodeRecord]]:
        """Every record with its file, by name."""
        files = sorted(self._folder.glob("nodes/*/*.json"))
        return [(file, record) for file in files if (record := self._read(file)) is not None]

    def damaged(self) -> list[Path]:
        """Files of records that count as none, by name."""
        return [file for file in sorted(self._folder.glob("nodes/*/*.json")) if self._read(file) is None]

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
    """Which version of each data set is the current one: what runs, notebooks and kedro-viz load.

    A file, with its own SHA-256. Where it is damaged or gone the records of nodes say the same: each node's newest is
    of what it made or used last.
    """

    def __init__(self, folder: Path) -> None:
        self.file = folder / "current.json"
        self._records = RecordStore(folder)

    def load(self) -> dict[str, Artifact]:
        """The current artifacts by data set; none if nothing was ever made."""
        listed = self._listed()
        if listed is not None:
            return listed
        found = self._of_records()
        if found:
            _log.warning("%s is damaged or gone: what is current was found in the records of nodes.", self.file)
        return found

    def is_damaged(self) -> bool:
        """Whether the list is gone, or is not what was written."""
        return self._listed() is None

    def update(self, outputs: Mapping[str, Artifact]) -> None:
        """Make these the current ones of their data sets."""
        listed = self._listed()
        if listed is not None and all(listed.get(name) == artifact for name, artifact in outputs.items()):
            return
        known = self._of_records() if listed is None else listed
        _write(
            self.file, {"outputs": {name: asdict(artifact) for name, artifact in sorted({**known, **outputs}.items())}}
        )

    def _listed(self) -> dict[str, Artifact] | None:
        try:
            return {name: Artifact(**one) for name, one in _read(self.file)["outputs"].items()}
        except (KeyError, TypeError, AttributeError):
            return None

    def _of_records(self) -> dict[str, Artifact]:
        return {
            name: artifact
            for record, _ in self._records.newest_of_all()
            for name, artifact in record.outputs.items()
            if artifact.path
        }
