"""``kedro verify``: whether the current results of an experiment are, byte for byte, what was saved."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.cli.utils import env_option
from kedro.framework.project import pipelines
from kedro.io import DatasetError

from archatlas.kedro_ext.clean import configured_catalog
from archatlas.kedro_ext.commands import with_plain_errors
from archatlas.kedro_ext.digests import FileDigests, Seen
from archatlas.kedro_ext.records import Artifact, CurrentResults, NodeRecord, RecordStore
from archatlas.kedro_ext.run_lock import take_lock
from archatlas.kedro_ext.versions import broken_links, dataset, located, path_of, relative

if TYPE_CHECKING:
    from kedro.framework.startup import ProjectMetadata
    from kedro.io import CatalogProtocol

    Catalog = CatalogProtocol[Any, Any]

_MIB = 2**20
_SHOWN = 5
_RUN = "kedro run"


@dataclass(frozen=True)
class Finding:
    """What is not as it was recorded: where it lies, what is wrong with it, and what to do."""

    path: Path
    what: str
    cure: str


def verify_command(*, manifest: str, records: str, work_folder: str, links: str) -> click.Command:
    """The command ``verify``.

    Args:
        manifest: data set of the runs' manifests (:mod:`archatlas.kedro_ext.manifest`), versioned
        records: data set that gives the runner's folder of records
        work_folder: data set whose folder's lock a run holds
        links: data set that gives the folder of links to the current results
    """

    @click.command()
    @env_option
    @click.pass_obj
    def verify(metadata: ProjectMetadata, /, env: str | None, params: dict[str, Any]) -> None:
        """Compare the current results with what was recorded of them, byte by byte.

        Says of each file that is damaged, missing or edited what to run to make it again, and ends with exit code 1 if
        there is any.
        """
        catalog = configured_catalog(metadata, env, params)
        folder = _folder(catalog, records)
        if not CurrentResults(folder).load():
            raise DatasetError(
                f"nothing is recorded in {relative(folder)}: nothing has run there. Name the experiment as its run was "
                "told it (--env, --params experiment=NAME)."
            )
        lock = take_lock(dataset(catalog, work_folder).load())
        try:
            check = _Check(catalog, folder, manifest, _command(env, params))
            findings = [*check.records(), *check.results(), *check.links(_folder(catalog, links))]
        finally:
            lock.release()
        _report(findings, relative(folder), check)

    verify.params += [option for option in kedro_run.params if option.name == "params"]
    verify.callback = with_plain_errors(verify.callback)
    return verify


def _report(findings: Sequence[Finding], folder: str, check: _Check) -> None:
    if not findings:
        size = sum(artifact.size for artifact in check.current.values())
        click.echo(f"{len(check.current)} results recorded in {folder} ({size / _MIB:.1f} MiB) are as they were saved.")
        return
    for finding in findings:
        click.echo(f"{relative(finding.path)}: {finding.what}")
    click.echo(f"{len(findings)} {'is' if len(findings) == 1 else 'are'} not as recorded in {folder}.")
    for cure in dict.fromkeys(finding.cure for finding in findings):
        click.echo(cure)
    sys.exit(1)


class _Check:
    """What is looked at for one experiment."""

    def __init__(self, catalog: Catalog, folder: Path, manifest: str, command: str) -> None:
        self._folder = folder
        self._manifest = dataset(catalog, manifest)
        self._store = RecordStore(folder)
        self._command = command
        self.current = CurrentResults(folder).load()

    def records(self) -> Iterator[Finding]:
        """Records that hold their own SHA-256, and manifests that name other results than they do."""
        listed = CurrentResults(self._folder)
        if self.current and listed.is_damaged():
            yield Finding(listed.file, "damaged: the list of current results", f"Written again by: {self._command}")
        for record in self._store.damaged():
            cure = "Delete damaged records: what they told of is made again when it is needed."
            yield Finding(record, "damaged: the record of a node", cure)
        for session in sorted({artifact.version for artifact in self.current.values() if artifact.version}):
            file = path_of(self._manifest, session)
            wrong = self._wrong(file, session) if file is not None and file.exists() else ""
            if file is not None and wrong:
                cure = "Nothing makes the manifest of an earlier run again: restore it from a copy, or delete it."
                yield Finding(file, wrong, cure)

    def _wrong(self, file: Path, session: str) -> str:
        try:
            nodes = json.loads(file.read_text())["nodes"].values()
            named = {name: one["sha256"] for node in nodes for name, one in node["outputs"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return "damaged: the manifest of a run"
        made = {name: one for name, one in self.current.items() if one.version == session and name in named}
        other = [f"`{name}`" for name, artifact in made.items() if named[name] != artifact.sha256]
        return f"edited: the manifest of a run, which names another SHA-256 of {_some(other)}" if other else ""

    def results(self) -> Iterator[Finding]:
        """Results whose bytes are not those that were saved; the next run that needs them reads them again."""
        kept = FileDigests(self._folder / "digests.json")
        makers = self._makers()
        for name, artifact in self.current.items():
            path = located(artifact.path, self._folder)
            fresh = FileDigests()
            if what := _what(path, artifact, kept, fresh):
                # What no time shows would otherwise be trusted by the next run, and not be made again.
                kept.distrust(path)
                yield Finding(path, f"{what} (`{name}`)", f"Made again by: {self._making(makers.get(name))}")
        kept.save()

    def links(self, folder: Path) -> Iterator[Finding]:
        """Links to the current results in whose place something else lies."""
        for link in broken_links(folder, self.current):
            cure = f"Move away what you want to keep of it; linked again by: {self._command}"
            yield Finding(link, "replaced: it is no link to the current result any more", cure)

    def _makers(self) -> dict[str, NodeRecord]:
        return {
            name: record
            for _, record in self._store.all()
            for name, artifact in record.outputs.items()
            if self.current.get(name) == artifact
        }

    def _making(self, record: NodeRecord | None) -> str:
        """The command of the run that made a result, or one for its node."""
        if record is None:
            return self._command
        file = path_of(self._manifest, record.session)
        try:
            command = str(json.loads(file.read_text())["command"]) if file is not None else ""
        except (OSError, ValueError, KeyError, TypeError):
            command = ""
        return command if command.startswith(_RUN) else f"{self._command}{_pipeline_of(record.node)}"


def _what(path: Path, artifact: Artifact, kept: FileDigests, fresh: FileDigests) -> str:
    """What is wrong with a result, in words; nothing if it is what was saved."""
    if not path.exists():
        return "missing"
    found = fresh.of(path)
    if found.sha256 == artifact.sha256:
        return ""
    before, now = kept.seen(path), fresh.seen(path)
    if not path.is_dir():
        return _changed(before.get(path), now.get(path))
    inside = [f"{file.relative_to(path)} is missing" for file in sorted(before.keys() - now.keys())]
    inside += [f"{file.relative_to(path)} was added" for file in sorted(now.keys() - before.keys()) if before]
    inside += [
        f"{file.relative_to(path)} {_changed(before[file], now[file])}"
        for file in sorted(before.keys() & now.keys())
        if before[file].sha256 != now[file].sha256
    ]
    return f"not the folder that was saved{': ' if inside else ''}{_some(inside)}"


def _changed(before: Seen | None, now: Seen | None) -> str:
    """How a file that has other bytes came to them, as far as its size and times tell."""
    if before is None or now is None or not before.stamp or before.sha256 == now.sha256:
        return "damaged or edited"
    (size_before, _, changed_before, _), (size, _, changed, _) = before.stamp, now.stamp
    if before.stamp == now.stamp:
        return "damaged: other bytes, though its size and times are those of before"
    if (size, changed) == (size_before, changed_before):
        return "edited or overwritten, and its time set back"
    when = datetime.fromtimestamp(changed / 1e9).isoformat(" ", "seconds")
    return f"edited or overwritten on {when}{f', {size} bytes instead of {size_before}' if size != size_before else ''}"


def _command(env: str | None, params: Mapping[str, Any]) -> str:
    """``kedro run`` with the options that this command was given."""
    given = ["--env", env] if env else []
    flat = ",".join(f"{key}={value}" for key, value in _flat(params))
    return shlex.join([*_RUN.split(), *given, *(["--params", flat] if flat else [])])


def _flat(params: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in params.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", "null" if value is None else value


def _pipeline_of(node: str) -> str:
    """The option that names the smallest pipeline with this node, unless the default one has it."""
    holding = {name: len(one.nodes) for name, one in pipelines.items() if node in {each.name for each in one.nodes}}
    return "" if "__default__" in holding or not holding else f" --pipelines {min(holding, key=lambda n: holding[n])}"


def _folder(catalog: Catalog, name: str) -> Path:
    """The folder of a data set, which loading would make."""
    folder = path_of(dataset(catalog, name), None)
    if folder is None:
        raise DatasetError(f"`{name}` is no folder of this machine")
    return folder


def _some(parts: Sequence[str]) -> str:
    more = [f"and {len(parts) - _SHOWN} more"] if len(parts) > _SHOWN else []
    return "; ".join([*parts[:_SHOWN], *more])
