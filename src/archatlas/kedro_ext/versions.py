"""Where a version of a data set lies, and which version is loaded."""

from __future__ import annotations

import copy
import logging
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from kedro.framework.hooks import hook_impl
from kedro.io import AbstractVersionedDataset
from kedro.io.core import is_parameter
from kedro.utils import find_kedro_project

from archatlas.kedro_ext import internals
from archatlas.kedro_ext.digests import Content, FileDigests
from archatlas.kedro_ext.records import Artifact, CurrentResults, fingerprint

if TYPE_CHECKING:
    from kedro.io import CatalogProtocol
    from kedro.pipeline import Pipeline

_log = logging.getLogger(__name__)
_NAMED = "_versions_named_by_user"


def dataset(catalog: CatalogProtocol[Any, Any], name: str) -> Any:
    """The data set of this name; loading from it, unlike from the catalog, writes no line of log.

    As in a run, what the catalog does not name is kept in memory.
    """
    return catalog.get(name, fallback_to_runtime_pattern=True)


def is_versioned(dataset: Any) -> bool:
    """Whether the catalog keeps versions of the data set."""
    return isinstance(dataset, AbstractVersionedDataset) and internals.has_versions(dataset)


def is_volatile(dataset: Any) -> bool:
    """Whether the catalog says ``metadata: {incremental: volatile}``: its content is no reason to run anything."""
    return _is_marked(dataset, "volatile")


def is_gate(dataset: Any) -> bool:
    """Whether the catalog says ``metadata: {incremental: gate}``: it tells of a check that was passed, and no more.

    Whatever was checked then, what was made after it stands.
    """
    return _is_marked(dataset, "gate")


def _is_marked(dataset: Any, mark: str) -> bool:
    metadata = getattr(dataset, "metadata", None)
    return isinstance(metadata, Mapping) and bool(metadata.get("incremental") == mark)


_NO_PART = frozenset({"filepath", "path", "version", "versioned", "metadata", "credentials", "args", "kwargs"})
"""Of a catalog entry these do not say what is written or how it is read: where it lies is told by its content."""


def entry_of(dataset: Any) -> dict[str, Any]:
    """What the catalog says of how a data set is saved and loaded: its type, and what that was given.

    A type that saves the same files as another names it as ``saved_as``: where one takes the other's place, what was
    made before is as good.
    """
    kind = getattr(dataset, "saved_as", type(dataset))
    entry = {"type": f"{kind.__module__}.{kind.__qualname__}"}
    if internals.is_in_memory(dataset):  # In memory: what it was made with is its content.
        return entry
    given = internals.made_with(dataset)
    # A class that inherits a wrapped constructor has what it was given one level down.
    given = {name: value for name, value in {**given, **given.get("kwargs", {})}.items() if name not in _NO_PART}
    return {name: value for name, value in given.items() if value is not None and _is_plain(value)} | entry


def _is_plain(value: Any) -> bool:
    """Whether it is what YAML can say."""
    if isinstance(value, Mapping):
        return all(_is_plain(one) for one in value.values())
    if isinstance(value, list | tuple):
        return all(_is_plain(one) for one in value)
    return value is None or isinstance(value, str | int | float | bool)


def load_version(dataset: Any) -> str | None:
    """The version that loading gives: the pinned one, else the newest; None without versions.

    Raises kedro.io.core.VersionNotFoundError if there is no version yet.
    """
    return dataset.resolve_load_version() if is_versioned(dataset) else None


def pin(dataset: Any, version: str | None) -> None:
    """Load this version from now on, or the newest for None; saving goes on under the session's version."""
    if is_versioned(dataset):
        internals.load_from(dataset, version)


def path_of(dataset: Any, version: str | None) -> Path | None:
    """The file or folder of a version on this machine; None for a data set that keeps its content elsewhere."""
    place = internals.local_place_of(dataset)
    if place is not None and is_versioned(dataset) and version is not None:
        return internals.version_file(dataset, version)
    return place


def lies_elsewhere(dataset: Any) -> bool:
    """Whether a data set keeps what it is given where nothing can be compared: on another machine, in a database."""
    if is_volatile(dataset) or internals.is_in_memory(dataset) or hasattr(dataset, "artifact_paths"):
        return False
    return path_of(dataset, None) is None


def folder_of(catalog: CatalogProtocol[Any, Any], name: str) -> Path:
    """The folder that a data set stands for; loading it would make it, which who only reads has no need of."""
    made = dataset(catalog, name)
    return path_of(made, None) or Path(made.load())


def artifact_of(dataset: Any, version: str | None, digests: FileDigests, *, afresh: bool = False) -> Artifact | None:
    """What lies there now; None if the data set has no files to compare. Raises FileNotFoundError if they are gone.

    A data set with a method ``artifact_paths()`` consists of the files that it lists.
    """
    if hasattr(dataset, "artifact_paths"):
        files = {str(path): digests.of(Path(path), afresh=afresh) for path in dataset.artifact_paths()}
        content = Content(sum(one.size for one in files.values()), fingerprint({k: v.sha256 for k, v in files.items()}))
        return Artifact("", None, content.size, content.sha256)
    path = path_of(dataset, version)
    if path is None:
        return None
    content = digests.of(path, afresh=afresh)
    return Artifact(relative(path), version, content.size, content.sha256)


def content_of(dataset: Any, value: Any) -> Content | None:
    """What would lie there if the data set saved this; None if that is no file or folder of this machine."""
    path = path_of(dataset, None)
    if path is None:
        return None
    with TemporaryDirectory() as folder:
        place = copy.copy(dataset)
        internals.put_at(place, Path(folder, path.name))
        place.save(value)
        return FileDigests().of(Path(folder, path.name))


def relative(path: Path) -> str:
    """The path as seen from the Kedro project that it lies in; absolute if it lies in none."""
    absolute = path.absolute()
    project = _project_above(absolute.parent)
    return (absolute.relative_to(project) if project else absolute).as_posix()


def located(path: str, beside: Path) -> Path:
    """The absolute path of :func:`relative`'s, in the project that ``beside`` lies in."""
    return (_project_above(beside.absolute()) or Path()) / path


@cache
def _project_above(folder: Path) -> Path | None:
    project: Path | None = find_kedro_project(folder)
    return project


class CurrentResultsHook:
    """Everything that loads from the catalog (runs of a part, notebooks, kedro-viz) loads the current results.

    Kedro's newest version is not always the current one: a parameter that was set back has an older one. ``records``
    and ``links`` name data sets that give a folder: of the runner's records, and of links to the current results.
    """

    def __init__(self, records: str, links: str) -> None:
        self._records = records
        self._links = links

    @hook_impl
    def after_catalog_created(
        self, catalog: CatalogProtocol[Any, Any], load_versions: Mapping[str, str] | None
    ) -> None:
        # Once pinned below, Kedro's own list of versions to load holds more than the user named.
        setattr(catalog, _NAMED, dict(load_versions or {}))
        if self._records not in catalog:
            return
        for name, artifact in CurrentResults(folder_of(catalog, self._records)).load().items():
            if name in catalog and name not in (load_versions or {}):
                _pin_in_catalog(catalog, name, artifact.version)

    @hook_impl
    def before_pipeline_run(self, pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> None:
        # What the pipeline makes it loads as it has made it, unless the user asked for a version.
        for name in pipeline.all_outputs() - named_by_user(catalog):
            _pin_in_catalog(catalog, name, None)

    @hook_impl
    def after_pipeline_run(self, pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> None:
        if self._records not in catalog:
            return
        folder = folder_of(catalog, self._records)
        digests = FileDigests(folder / "digests.json")
        names = pipeline.all_outputs() - named_by_user(catalog)
        made = {name: _made(catalog, name, digests) for name in names}
        CurrentResults(folder).update({name: artifact for name, artifact in made.items() if artifact is not None})
        digests.save()
        self._link(catalog)

    @hook_impl
    def on_pipeline_error(self, catalog: CatalogProtocol[Any, Any]) -> None:
        self._link(catalog)

    def _link(self, catalog: CatalogProtocol[Any, Any]) -> None:
        if self._records in catalog and self._links in catalog:
            link_results(folder_of(catalog, self._links), CurrentResults(folder_of(catalog, self._records)).load())


def link_results(folder: Path, results: Mapping[str, Artifact]) -> None:
    """Relative links to the results by their file names, in place of those that are there."""
    wanted = _link_names(results)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for link in folder.iterdir():
            if link.is_symlink() and link.name not in wanted:
                link.unlink()
        for name, target in wanted.items():
            link, there = folder / name, os.path.relpath(located(target, folder), folder)
            if not link.is_symlink() or os.readlink(link) != there:
                temporary = folder / f".{uuid4().hex}"
                temporary.symlink_to(there)
                os.replace(temporary, link)
    except OSError as error:  # Some systems give links to administrators only; everything else works without.
        _log.warning("no links to the current results in %s: %s", folder, error)


def broken_links(folder: Path, results: Mapping[str, Artifact]) -> list[Path]:
    """Places of links to the results (:func:`link_results`) where something else lies."""
    links = {folder / name: located(target, folder) for name, target in _link_names(results).items()}
    return [
        link
        for link, target in links.items()
        if link.exists() and not (link.is_symlink() and os.path.samefile(link, target))
    ]


def _link_names(results: Mapping[str, Artifact]) -> dict[str, str]:
    """File name to path; a data set whose file name is taken goes by its own."""
    names: dict[str, str] = {}
    for name, artifact in sorted(results.items()):
        file = Path(artifact.path).name
        if file:
            names[file if file not in names else name] = artifact.path
    return names


def _made(catalog: CatalogProtocol[Any, Any], name: str, digests: FileDigests) -> Artifact | None:
    made = dataset(catalog, name)
    if is_parameter(name) or is_volatile(made) or internals.is_in_memory(made):
        return None
    try:
        return artifact_of(made, load_version(made), digests)
    except FileNotFoundError:
        return None


def _pin_in_catalog(catalog: CatalogProtocol[Any, Any], name: str, version: str | None) -> None:
    """Pin a data set without making it, where the catalog has not made it yet."""
    lazy = getattr(catalog, "_lazy_datasets", {}).get(name)
    if lazy is not None:
        lazy.load_version = version
    elif name in catalog:
        pin(dataset(catalog, name), version)


def named_by_user(catalog: CatalogProtocol[Any, Any]) -> set[str]:
    """Data sets whose version the user named (``--load-versions``)."""
    return set(getattr(catalog, _NAMED, getattr(catalog, "_load_versions", None)) or ())
