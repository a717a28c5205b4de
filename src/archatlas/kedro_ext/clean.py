"""``kedro clean``: drop old versions of data sets, but none that is in use or that a kept manifest names."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from kedro.framework.cli.utils import env_option
from kedro.framework.hooks.manager import _NullPluginManager
from kedro.framework.project import pipelines as registered
from kedro.framework.project import settings

from archatlas.kedro_ext.commands import with_plain_errors
from archatlas.kedro_ext.digests import FileDigests
from archatlas.kedro_ext.internals import lies_in_file, place_of
from archatlas.kedro_ext.names import nearest
from archatlas.kedro_ext.records import CurrentResults, RecordStore
from archatlas.kedro_ext.run_lock import take_lock
from archatlas.kedro_ext.versions import dataset, folder_of, is_versioned, path_of, relative

if TYPE_CHECKING:
    from kedro.framework.startup import ProjectMetadata
    from kedro.io import CatalogProtocol

    Catalog = CatalogProtocol[Any, Any]

Named = dict[str, set[str | None]]
"""Versions by data set."""

_MIB = 2**20
_PARTIAL = ".*.partial"
"""What a process that was killed while it wrote leaves of :func:`archatlas.storage.atomic.atomic_path`."""


def clean_command(*, manifest: str, records: str, work_folder: str, experiment: str = "experiment") -> click.Command:
    """The command ``clean``.

    Args:
        manifest: data set of the runs' manifests (:mod:`archatlas.kedro_ext.manifest`), versioned
        records: data set that gives the runner's folder of records
        work_folder: data set that gives the folder of partial work, beside which the lock of runs lies
        experiment: parameter that names an experiment; its data sets lie in folders of their own
    """

    @click.command()
    @env_option
    @click.option("--experiment", "name", help="Which experiment; without it, the one that the configuration names.")
    @click.option("--keep", type=click.IntRange(min=1), default=3, show_default=True, help="Different runs to keep.")
    @click.option("--work", is_flag=True, help="Drop partial work of long nodes as well.")
    @click.option("--dry-run", is_flag=True, help="Only say what would go.")
    @click.pass_obj
    def clean(metadata: ProjectMetadata, /, env: str, name: str | None, keep: int, work: bool, dry_run: bool) -> None:
        """Drop old versions of data sets.

        What the newest runs made or read is kept (runs with the same results count as one), and so are the current
        results.
        """
        if name is not None and (Path(name).name != name or name == ".."):
            raise click.ClickException(f"--experiment: `{name}` is no name of an experiment but a path")
        catalog = configured_catalog(metadata, env, {} if name is None else {experiment: name})
        if name is not None:
            _check_there(name, folder_of(catalog, records), folder_of(catalog, work_folder))
        folder: Path = dataset(catalog, work_folder).load()
        lock = take_lock(folder)
        try:
            of_records: Path = dataset(catalog, records).load()
            rubbish = find_rubbish(catalog, keep, manifest=manifest, records=of_records)
            leftovers = sorted(folder.iterdir()) if work else _unfinished(folder)
            paths = [*rubbish.paths, *_outside(leftovers, leftovers)]
            sizes = [_size(path) for path in paths]
            for path, size in zip(paths, sizes, strict=True):
                click.echo(f"{size / _MIB:10.1f} MiB  {relative(path)}")
            if not dry_run:
                _drop(paths)
                digests = FileDigests(of_records / "digests.json")
                digests.forget_what_is_gone()
                digests.save()
            click.echo(f"{sum(sizes) / _MIB:10.1f} MiB  {'would go' if dry_run else 'went'}: {rubbish.summary}")
        finally:
            lock.release()

    clean.callback = with_plain_errors(clean.callback)
    return clean


def _check_there(name: str, *folders: Path) -> None:
    """Raise click.ClickException if an experiment has left nothing in the folders that would be named after it."""
    if not any(folder.is_dir() for folder in folders):
        beside = (inner.name for folder in folders if folder.parent.is_dir() for inner in folder.parent.iterdir())
        raise click.ClickException(f"--experiment: there are no results of `{name}`{nearest(name, beside)}")


@dataclass(frozen=True)
class Rubbish:
    """What nobody needs."""

    records: list[Path]
    versions: list[Path]
    unfinished: list[Path]

    @property
    def paths(self) -> list[Path]:
        """In the order in which they are to go: no record must be left of what is gone."""
        return [*self.records, *self.versions, *self.unfinished]

    @property
    def summary(self) -> str:
        return f"{len(self.versions)} versions, {len(self.records)} records, {len(self.unfinished)} unfinished files"


def find_rubbish(catalog: Catalog, keep: int, *, manifest: str, records: Path) -> Rubbish:
    """Versions that are neither current nor named by a kept manifest, records of them, and unfinished files.

    Kept are manifests from the newest back to the ``keep``-th that counts: one whose versions are all named by a newer
    one does not, be it of a run that used everything again or of one that was killed and then finished. Without any
    manifest nothing is known of what is needed, and all versions are kept.
    """
    kept: Named = {name: {artifact.version} for name, artifact in CurrentResults(records).load().items()}
    manifests = list(_manifests(catalog, manifest))
    recorded = RecordStore(records).all()
    known = {*kept, *(name for _, named in manifests for name in named)}
    known |= {name for _, record in recorded for name in record.outputs}
    for session, named in _newest(manifests, keep):
        kept.setdefault(manifest, set()).add(session)
        for name, versions in named.items():
            kept.setdefault(name, set()).update(versions)
    local = {name: made for name, made in _datasets(catalog, known) if path_of(made, None) is not None}
    versioned = {name: made for name, made in local.items() if is_versioned(made)} if manifests else {}
    dropped = {
        (name, folder.name): folder
        for name, made in versioned.items()
        for folder in _versions(place_of(made))
        if folder.name not in kept.get(name, ())
    }
    outdated = [
        file
        for file, record in recorded
        if dropped.keys() & {(name, artifact.version) for name, artifact in record.outputs.items()}
    ]
    folders = list(dropped.values())
    unfinished = [file for made in local.values() for file in _unfinished_of(place_of(made))]
    return Rubbish(outdated, folders, _outside(folders, [*unfinished, *_unfinished(records)]))


def configured_catalog(metadata: ProjectMetadata, env: str | None, parameters: dict[str, Any]) -> Catalog:
    """The project's catalog, without hooks: they may refuse parameters that only a run needs."""
    env = env or os.getenv("KEDRO_ENV")  # As a session does.
    loader = settings.CONFIG_LOADER_CLASS(
        conf_source=str(metadata.project_path / settings.CONF_SOURCE),
        env=env,
        runtime_params=parameters,
        **settings.CONFIG_LOADER_ARGS,
    )
    context = settings.CONTEXT_CLASS(
        package_name=metadata.package_name,
        project_path=metadata.project_path,
        config_loader=loader,
        env=env,
        runtime_params=parameters,
        hook_manager=_NullPluginManager(),
    )
    catalog: Catalog = context.catalog
    return catalog


def _datasets(catalog: Catalog, known: Iterable[str]) -> Iterator[tuple[str, Any]]:
    """Those that lie in files, by name: what the catalog lists, and what its patterns are for, known or to be made."""
    wired = (name for pipeline in registered.values() for name in pipeline.datasets())
    for name in sorted({*catalog.keys(), *known, *wired}):
        made = dataset(catalog, name)
        if lies_in_file(made):
            yield name, made


def _versions(place: Path) -> Iterator[Path]:
    """Folders of versions: each holds what is called as the data set is, or what a killed process left of it."""
    for folder in sorted(place.iterdir()) if place.is_dir() else ():
        if folder.is_dir() and ((folder / place.name).exists() or set(folder.iterdir()) == set(folder.glob(_PARTIAL))):
            yield folder


def _manifests(catalog: Catalog, name: str) -> Iterator[tuple[str, Named]]:
    """Session and named versions of every readable manifest, newest first."""
    place = place_of(dataset(catalog, name))
    for folder in reversed(list(_versions(place))):
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            named: Named = {}
            for node in json.loads((folder / place.name).read_text())["nodes"].values():
                made = {output: artifact["version"] for output, artifact in node["outputs"].items()}
                for data, version in (*node["inputs"].items(), *made.items()):
                    named.setdefault(data, set()).add(version)
            yield folder.name, named


def _newest(manifests: Iterable[tuple[str, Named]], keep: int) -> Iterator[tuple[str, Named]]:
    different: list[Named] = []
    for session, named in manifests:
        if not any(_covers(other, named) for other in different):
            different.append(named)
        if len(different) > keep:
            return
        yield session, named


def _covers(other: Named, named: Named) -> bool:
    return all(versions <= other.get(name, set()) for name, versions in named.items())


def _unfinished(folder: Path) -> list[Path]:
    return sorted(folder.rglob(_PARTIAL))


def _unfinished_of(place: Path) -> list[Path]:
    return [*_unfinished(place), *sorted(place.parent.glob(f".{place.name}{_PARTIAL}"))]


def _outside(folders: Iterable[Path], paths: Iterable[Path]) -> list[Path]:
    """The paths that lie in none of the folders."""
    known = set(folders)
    return [path for path in paths if known.isdisjoint(path.parents)]


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() and not path.is_symlink() else [path]
    return sum(file.lstat().st_size for file in files)


def _drop(paths: Iterable[Path]) -> None:
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
