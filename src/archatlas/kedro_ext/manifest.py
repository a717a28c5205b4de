"""A manifest for every run: what was run, on what, and what made each file."""

from __future__ import annotations

import atexit
import json
import logging
import re
import shlex
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.framework.hooks import hook_impl
from kedro.io import DatasetError
from kedro.io.core import VersionNotFoundError, is_parameter

from archatlas.kedro_ext import versions
from archatlas.kedro_ext.digests import FileDigests
from archatlas.kedro_ext.stop import RunStopped
from archatlas.kedro_ext.surroundings import git_state, gpus_in_use, hardware, library_versions
from archatlas.kedro_ext.usage import UsageMeter
from archatlas.storage.atomic import atomic_path

if TYPE_CHECKING:
    from kedro.framework.context import KedroContext
    from kedro.io import CatalogProtocol
    from kedro.pipeline import Pipeline
    from kedro.pipeline.node import Node

    from archatlas.kedro_ext.records import Artifact, NodeRecord
    from archatlas.kedro_ext.usage import NodeUsage

    Catalog = CatalogProtocol[Any, Any]

_log = logging.getLogger(__name__)

NOT_ASKED_FOR = "not asked for, but this run reads what it made"
EVERY_NODE = "the runner runs every node"
_SIDE_BY_SIDE = ("ThreadRunner", "ParallelRunner")


class ManifestHook:
    """Keep a JSON manifest of the run, at the place where ``dataset`` would save the session's version.

    It is written anew, whole or not at all, whenever a node is done, so that a killed run leaves one with the status
    ``running``. With :class:`archatlas.kedro_ext.incremental.IncrementalRunner` the runner tells what a node took and
    made. With another runner that runs one node after the other the hook measures nodes itself, from the loading of the
    first input to the saving of the last output, and reads the digests of the outputs from their files. Kedro's runners
    that run nodes side by side are refused (DatasetError), whoever starts the session.

    Beside the nodes of the run the manifest holds those of earlier runs whose outputs this one reads, directly or
    through others: it names all that a result was made from.

    Args:
        dataset: of the manifest in the catalog, best versioned and ``metadata: {incremental: volatile}``; without it
            the hook does nothing
        distribution: of the project, as it was installed: it and what it requires are the libraries of the manifest
        experiment: dotted name of the parameter that names the experiment
        seeds: dotted names of the parameters that hold seeds
    """

    def __init__(
        self, dataset: str, *, distribution: str, experiment: str = "experiment", seeds: Sequence[str] = ("seed",)
    ) -> None:
        self._dataset = dataset
        self._distribution = distribution
        self._experiment = experiment
        self._seeds = tuple(seeds)
        self._parameters: dict[str, Any] = {}
        self._run: _RunManifest | None = None

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        self._parameters = context.config_loader["parameters"]

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: Catalog) -> None:
        self._run = None
        if self._dataset not in catalog:
            return
        manifest, session = versions.dataset(catalog, self._dataset), str(run_params["run_id"])
        path = versions.path_of(manifest, session)
        if path is None:
            return
        runner = _runner_name(str(run_params.get("runner")))
        if runner in _SIDE_BY_SIDE:
            raise DatasetError(
                f"{runner} runs nodes side by side, of which no complete manifest can be written: take "
                "SequentialRunner or the incremental one"
            )
        document = {
            "experiment": _dotted(self._parameters, self._experiment),
            "session": session,
            "started": _now(),
            "ended": None,
            "status": "running",
            "error": None,
            "path": versions.relative(path),
            "command": _command(),
            "pipelines": list(run_params.get("pipeline_names") or ["__default__"]),
            "runner": runner,
            "git": git_state(Path(run_params["project_path"])),
            "parameters": self._parameters,
            "seeds": {name: _dotted(self._parameters, name) for name in self._seeds},
            "libraries": library_versions(self._distribution),
            "python": sys.version.split()[0],
            "hardware": hardware(),
            "nodes": {},
        }
        self._run = _RunManifest(document, path, pipeline, catalog)
        self._run.write()
        # A report of this run shows this manifest, whatever runs with other clocks have written.
        if self._dataset not in versions.named_by_user(catalog):
            versions.pin(manifest, session)
        atexit.register(self._run.end, "stopped")

    @hook_impl
    def before_dataset_loaded(self, node: Node) -> None:
        if self._run is not None:
            self._run.begin(node)

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        if self._run is not None:
            self._run.begin(node)

    @hook_impl
    def after_node_run(self, node: Node) -> None:
        if self._run is not None:
            self._run.note(node)

    @hook_impl
    def after_dataset_saved(self, node: Node) -> None:
        if self._run is not None:
            self._run.note(node)

    @hook_impl
    def after_nodes_decided(self) -> None:
        if self._run is not None:
            self._run.runner_tells = True

    @hook_impl
    def after_node_settled(self, node: Node, record: NodeRecord, executed: bool, reasons: tuple[str, ...]) -> None:
        if self._run is not None:
            self._run.settled(node, record, executed, reasons)

    @hook_impl
    def after_pipeline_run(self) -> None:
        self._end("finished")

    @hook_impl
    def on_pipeline_error(self, error: Exception) -> None:
        stopped = isinstance(error, RunStopped)
        try:
            self._end("stopped" if stopped else "failed", None if stopped else f"{type(error).__name__}: {error}")
        except OSError as trouble:  # The disk is full, say: then it is the first error that counts.
            _log.warning("the manifest could not be closed: %s", trouble)

    def _end(self, status: str, error: str | None = None) -> None:
        run, self._run = self._run, None
        if run is not None:
            atexit.unregister(run.end)
            run.end(status, error)


class _RunManifest:
    """The manifest of one run while it goes on."""

    def __init__(self, document: dict[str, Any], path: Path, pipeline: Pipeline, catalog: Catalog) -> None:
        self._document = document
        self._path = path
        self._pipeline = pipeline
        self._catalog = catalog
        self._earlier = _EarlierManifests(path)
        self._lock = threading.RLock()  # Asynchronous runs load the inputs of a node in several threads.
        self._unwritten = False
        self.runner_tells = False
        self._node: Node | None = None
        self._meter: UsageMeter | None = None
        self._usage: NodeUsage | None = None

    def write(self) -> None:
        self._document["hardware"]["gpus"] = gpus_in_use()
        with atomic_path(self._path) as temporary:
            temporary.write_text(json.dumps(self._document, indent=2, default=str))
        self._unwritten = False

    def begin(self, node: Node) -> None:
        """A node begins: whatever was before it is done, and it may read this manifest."""
        with self._lock:
            if node is self._node:
                return
            self._settle_measured()
            self._node = node
            self._follow(self._inputs(node))
            if self._unwritten:
                self.write()
            if not self.runner_tells:
                self._meter = UsageMeter()

    def note(self, node: Node) -> None:
        """The node has gone on; its last word counts, since a streamed output is computed while it is saved."""
        if self._meter is not None and node is self._node:
            self._usage = self._meter.usage

    def settled(self, node: Node, record: NodeRecord, executed: bool, reasons: Sequence[str]) -> None:
        """The runner says what became of a node."""
        with self._lock:
            self._stop_measuring()
            self._add(node, record.usage, record.outputs, executed, reasons, record.key, record.session)
            # Many nodes are reused in no time; nothing is lost if only the next write names them.
            if executed:
                self.write()

    def end(self, status: str, error: str | None = None) -> None:
        with self._lock:
            if status == "finished":
                self._settle_measured()
            self._stop_measuring()
            self._document |= {"ended": _now(), "status": status, "error": error}
            self.write()

    def _settle_measured(self) -> None:
        node, usage = self._node, self._usage
        self._stop_measuring()
        if node is not None and usage is not None:
            session = self._document["session"]
            self._add(node, usage, self._artifacts(node), True, [EVERY_NODE], None, session)
            self.write()

    def _stop_measuring(self) -> None:
        if self._meter is not None:
            self._meter.stop()
        self._node = self._meter = self._usage = None

    def _artifacts(self, node: Node) -> dict[str, Artifact]:
        digests = FileDigests()
        found = {}
        for name in node.outputs:
            dataset = versions.dataset(self._catalog, name)
            version = dataset.resolve_save_version() if versions.is_versioned(dataset) else None
            try:
                artifact = versions.artifact_of(dataset, version, digests)
            except FileNotFoundError:  # The node has saved nothing on this machine.
                continue
            if artifact is not None:
                found[name] = artifact
        return found

    def _add(
        self,
        node: Node,
        usage: NodeUsage,
        outputs: Mapping[str, Artifact],
        executed: bool,
        reasons: Sequence[str],
        fingerprint: str | None,
        session: str,
    ) -> None:
        inputs = self._inputs(node)
        self._document["nodes"][node.name] = {
            "function": _function(node),
            "executed": executed,
            "reasons": list(reasons),
            **asdict(usage),
            "fingerprint": fingerprint,
            "session": session,
            "inputs": inputs,
            "outputs": {name: asdict(artifact) for name, artifact in outputs.items() if artifact.path},
        }
        self._follow(inputs)
        self._unwritten = True

    def _inputs(self, node: Node) -> dict[str, str | None]:
        """Versions of the data sets that the node reads, None for one that has none; what is volatile is left out."""
        inputs: dict[str, str | None] = {}
        for name in node.inputs:
            dataset = None if is_parameter(name) else versions.dataset(self._catalog, name)
            if dataset is not None and not versions.is_volatile(dataset):
                with suppress(VersionNotFoundError):
                    inputs[name] = versions.load_version(dataset)
        return inputs

    def _follow(self, inputs: Mapping[str, str | None]) -> None:
        """Add the nodes of earlier runs that made these versions, and those that made what they read."""
        own, waiting = self._pipeline.all_outputs(), dict(inputs)
        while waiting:
            dataset, version = waiting.popitem()
            name, entry = ("", None) if dataset in own else self._earlier.maker(dataset, version)
            if entry is not None and name not in self._document["nodes"]:
                self._document["nodes"][name] = {**entry, "executed": False, "reasons": [NOT_ASKED_FOR]}
                self._unwritten = True
                waiting |= entry["inputs"]


class _EarlierManifests:
    """Which node of earlier runs made a version of a data set, newest run first."""

    def __init__(self, path: Path) -> None:
        versioned = path.parent.parent.name == path.name  # As in Kedro's layout, manifest.json/<session>/manifest.json.
        files = path.parent.parent.glob(f"*/{path.name}") if versioned else []
        self._files = iter(sorted((file for file in files if file != path), reverse=True))
        self._makers: dict[tuple[str, str | None], tuple[str, dict[str, Any]]] = {}

    def maker(self, dataset: str, version: str | None) -> tuple[str, dict[str, Any] | None]:
        """Name and entry of the node; ("", None) if no manifest names it."""
        while (dataset, version) not in self._makers and self._read_next():
            pass
        return self._makers.get((dataset, version), ("", None))

    def _read_next(self) -> bool:
        file = next(self._files, None)
        if file is None:
            return False
        for name, entry in _nodes(file).items():
            for dataset, artifact in entry["outputs"].items():
                self._makers.setdefault((dataset, artifact["version"]), (name, entry))
        return True


def _nodes(file: Path) -> dict[str, dict[str, Any]]:
    """The entries of a manifest's nodes by name; none if it is damaged, or no manifest."""
    try:
        nodes: dict[str, dict[str, Any]] = json.loads(file.read_text())["nodes"]
        for entry in nodes.values():
            entry["inputs"].items()
            for artifact in entry["outputs"].values():
                hash(artifact["version"])
        return nodes
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _dotted(parameters: Mapping[str, Any], name: str) -> Any:
    """``parameters["a"]["b"]`` for ``a.b``; None if there is no such parameter."""
    value: Any = parameters
    for key in name.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _function(node: Node) -> str:
    function: Any = node.func
    while isinstance(function, partial):
        function = function.func
    return f"{function.__module__}.{getattr(function, '__qualname__', type(function).__qualname__)}"


def _command() -> str:
    """The command line that started this process: ``kedro run --pipelines search``."""
    program = Path((sys.argv[0] or "python").split()[-1])  # Of `python -m kedro`, click makes one argument.
    name = program.parent.name if program.name == "__main__.py" else program.name
    return shlex.join([name, *sys.argv[1:]])


def _runner_name(described: str) -> str:
    """The class in ``<package.Class object at 0x7f...>``; Kedro's default where none was given."""
    found = re.search(r"([A-Za-z_]\w*) object at ", described)
    return found.group(1) if found else "SequentialRunner" if described == "None" else described


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
