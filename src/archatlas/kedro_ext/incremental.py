"""A runner that runs again only what changed, and keeps the results of earlier settings.

In another Kedro project: copy ``kedro_ext`` and of ``storage`` ``atomic.py``, ``table_file.py``, ``tensor_files.py``
and ``walk.py``, give the catalog a data set that loads as a folder for records
(:class:`archatlas.kedro_ext.datasets.WorkFolderDataset`), say ``versioned: true`` where earlier results are to be kept,
and run with ``--runner=your_package.kedro_ext.incremental.IncrementalRunner``.
Hooks that say what will run, that pin versions and that write manifests are independent of each other.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.framework.project import pipelines as registered
from kedro.io import DatasetError
from kedro.io.core import is_parameter
from kedro.runner import AbstractRunner
from kedro.runner.task import Task

from archatlas.kedro_ext import versions
from archatlas.kedro_ext.consistency import Inputs, consistent_inputs
from archatlas.kedro_ext.decisions import NEVER_RAN, Decider, Decision
from archatlas.kedro_ext.internals import is_in_memory
from archatlas.kedro_ext.late import late_ones_last
from archatlas.kedro_ext.optional_inputs import reduced
from archatlas.kedro_ext.records import Artifact, CurrentResults, NodeRecord, fingerprint
from archatlas.kedro_ext.runner_specs import know_runner_hooks
from archatlas.kedro_ext.stop import entering, stoppable
from archatlas.kedro_ext.usage import measured

if TYPE_CHECKING:
    from kedro.io import CatalogProtocol
    from kedro.pipeline import Pipeline
    from kedro.pipeline.node import Node
    from pluggy import PluginManager

_log = logging.getLogger(__name__)

_REASONS = 3
"""Reasons in a line of log; the manifest has all of them, and so has ``--explain`` before the run."""


class IncrementalRunner(AbstractRunner):
    """Runs a node if what it depends on changed (:mod:`archatlas.kedro_ext.decisions`); else its old outputs stand.

    Results are found by what made them, whatever ran in between: setting a parameter back finds the old ones. Nodes run
    one after the other, those that can wait last (:mod:`archatlas.kedro_ext.late`). What a part of the project reads
    when it runs alone has to be of the current parameters (:mod:`archatlas.kedro_ext.consistency`). ``records`` names
    the catalog's data set that gives the folder of records;
    ``project`` holds the pipelines whose nodes make what a part reads: without it, those that Kedro has registered.
    """

    def __init__(
        self, is_async: bool = False, records: str = "run_records", project: Mapping[str, Pipeline] | None = None
    ) -> None:
        if is_async:
            raise ValueError("the incremental runner loads and saves one by one: leave out is_async")
        super().__init__(is_async=False)
        self._records = records
        self._project = registered if project is None else project

    def _get_executor(self, max_workers: int) -> None:
        return None

    def _run(
        self,
        pipeline: Pipeline,
        catalog: CatalogProtocol[Any, Any],
        hook_manager: PluginManager | None = None,
        run_id: str | None = None,
    ) -> None:
        assert hook_manager is not None
        know_runner_hooks(hook_manager)
        with stoppable():
            folder = records_folder(catalog, self._records)
            _Run(pipeline, catalog, folder, hook_manager, run_id or "", self._project).go()


def records_folder(catalog: CatalogProtocol[Any, Any], name: str) -> Path:
    """The folder of records; raises DatasetError if the catalog has none."""
    if name not in catalog:
        raise DatasetError(
            f"the incremental runner keeps its records in the data set `{name}`, which is not in the catalog: add one "
            "that loads as a folder, or name another with --runner-params records=NAME"
        )
    return versions.folder_of(catalog, name)


def explain(pipeline: Pipeline, catalog: CatalogProtocol[Any, Any], records: str = "run_records") -> list[Decision]:
    """What a run would do, node by node, and why.

    Nothing is written but digests of files, where they can be, and nothing is run but what is tried.

    Raises DatasetError where the run would fail: what it reads is not in the catalog, or out of date.
    """
    unknown = sorted(name for name in pipeline.inputs() if name not in catalog)
    if unknown:
        raise DatasetError(f"Pipeline input(s) {', '.join(unknown)} not found in the catalog")
    pipeline, decider, inputs = _with_its_inputs(pipeline, registered, catalog, records_folder(catalog, records))
    decider.settle({name: one for name, one in inputs.outputs.items() if name in pipeline.inputs()})
    decisions = decider.forecast(pipeline, trying=True)
    with suppress(OSError):  # On a full or read-only disk they are read again next time.
        decider.digests.save()
    return decisions


def _with_its_inputs(
    pipeline: Pipeline, project: Mapping[str, Pipeline], catalog: CatalogProtocol[Any, Any], folder: Path
) -> tuple[Pipeline, Decider, Inputs]:
    """The pipeline with the optional inputs that are up to date, its decider, and what is known of its inputs.

    Raises DatasetError if inputs are out of date that it needs.
    """
    there = CurrentResults(folder).load().keys() | versions.named_by_user(catalog)
    pipeline = reduced(pipeline, there.__contains__)
    decider = Decider(pipeline, catalog, folder)
    inputs = consistent_inputs(pipeline, project, catalog, decider)
    if inputs.left_out:
        pipeline = reduced(pipeline, lambda name: name not in inputs.left_out)
        decider = decider.beside(pipeline)
    return pipeline, decider, inputs


def _told(reasons: Sequence[str]) -> str:
    """Reasons for the log, the first few; that a node is new here is no news to who has just started."""
    told = [reason for reason in reasons if reason != NEVER_RAN]
    more = [f"{len(told) - _REASONS} more reasons"] if len(told) > _REASONS + 1 else []
    return f": {'; '.join([*told[:_REASONS], *more] if more else told)}" if told else ""


class _Run:
    """One run of a pipeline."""

    def __init__(
        self,
        pipeline: Pipeline,
        catalog: CatalogProtocol[Any, Any],
        folder: Path,
        hook_manager: PluginManager,
        run_id: str,
        project: Mapping[str, Pipeline],
    ) -> None:
        self._pipeline, self._decider, self._inputs = _with_its_inputs(pipeline, project, catalog, folder)
        pipeline = self._pipeline
        self._nodes = late_ones_last(pipeline)
        self._catalog = catalog
        self._hooks: Any = hook_manager.hook
        self._manager = hook_manager
        self._run_id = run_id
        self._current = CurrentResults(folder)
        self._makers = {name: node for node in pipeline.nodes for name in node.outputs}
        self._readers = Counter(name for node in pipeline.nodes for name in set(node.inputs))
        self._executed: set[str] = set()
        self._decisions: dict[str, Decision] = {}
        self._seconds_of_others = 0.0

    def go(self) -> None:
        begun = time.perf_counter()
        self._settle_inputs()
        forecast = self._decider.forecast(self._pipeline, trying=True)
        with self._others_time():
            self._hooks.after_nodes_decided(decisions=forecast, pipeline=self._pipeline, catalog=self._catalog)
        count = len(self._nodes)
        try:
            for number, node in enumerate(self._nodes, start=1):
                entering(node.name)
                decision = self._decider.decide(node)
                self._decisions[node.name] = decision
                if decision.record is not None and not self._results_in_memory_wanted(node):
                    self._reuse(decision, decision.record)
                else:
                    self._execute(decision, number, count)
                self._release(node)
        finally:
            self._decider.digests.save()
        own = time.perf_counter() - begun - self._seconds_of_others
        _log.info("%d of %d nodes ran; deciding and recording took %.2f s", len(self._executed), count, own)

    def _settle_inputs(self) -> None:
        """Let what the run reads be what the current parameters give."""
        inputs = self._inputs
        for warning in inputs.warnings:
            _log.warning("%s", warning)
        for left_out in inputs.left_out.values():
            _log.warning("%s", left_out)
        if inputs.replaced:
            names = ", ".join(f"`{name}`" for name in inputs.replaced)
            _log.info("earlier results of the current parameters are used again: %s", names)
        read = self._pipeline.inputs()
        for name, artifact in inputs.outputs.items():
            self._current.update({name: artifact})
            if name in read:
                self._decider.settle({name: artifact})
                versions.pin(self._dataset(name), artifact.version)
        for record in inputs.records:
            self._decider.records.mark_used(record)

    @contextmanager
    def _others_time(self) -> Iterator[None]:
        begun = time.perf_counter()
        yield
        self._seconds_of_others += time.perf_counter() - begun

    def _reuse(self, decision: Decision, record: NodeRecord) -> None:
        for name, artifact in record.outputs.items():
            if artifact.path:
                versions.pin(self._dataset(name), artifact.version)
        self._decider.records.mark_used(record)
        self._settle(decision, record, executed=False)

    def _execute(self, decision: Decision, number: int, count: int) -> None:
        node = decision.node
        _log.info("[%d/%d] %s%s", number, count, node.name, _told(decision.reasons))
        if self._prepare_inputs(node):
            fresh = self._decider.decide(node)
            decision = Decision(node, "run", decision.reasons, fresh.key, fresh.parts)
        for name in self._kept(node.outputs):
            versions.pin(self._dataset(name), self._save_version(name))
        with self._others_time(), measured() as meter:
            Task(node, self._catalog, is_async=False, hook_manager=self._manager, run_id=self._run_id).execute()
        self._executed.add(node.name)
        outputs = {name: self._left(name, decision.key) for name in node.outputs}
        record = NodeRecord(
            node.name,
            decision.key,
            dict(decision.parts or {}),
            {name: artifact for name, artifact in outputs.items() if artifact is not None},
            self._run_id,
            meter.usage,
        )
        if (edited := self._decider.reach(node).edited_since_start()) is None:
            self._decider.records.save(record)
        else:
            _log.warning(
                "%s was edited after this process had started: what %s made is used, but made again by the next run",
                versions.relative(edited),
                node.name,
            )
        self._settle(decision, record, executed=True)

    def _settle(self, decision: Decision, record: NodeRecord, *, executed: bool) -> None:
        self._decider.settle(record.outputs)
        self._current.update({name: artifact for name, artifact in record.outputs.items() if artifact.path})
        self._hooks.after_node_settled(
            node=decision.node,
            record=record,
            executed=executed,
            reasons=decision.reasons,
            catalog=self._catalog,
            run_id=self._run_id,
        )

    def _prepare_inputs(self, node: Node) -> bool:
        """Check every input byte by byte and pin its version; make again what is damaged or was not kept.

        Whether anything was made again.
        """
        executed = len(self._executed)
        for name in dict.fromkeys(node.inputs):
            dataset = self._dataset(name)
            if is_parameter(name) or versions.is_volatile(dataset):
                continue
            maker = self._makers.get(name)
            if is_in_memory(dataset):
                if maker is not None and maker.name not in self._executed:
                    self._make_again(maker, f"{name} is kept in memory only, and {node.name} needs it")
                continue
            try:
                artifact = self._decider.artifact(name, afresh=maker is None or maker.name not in self._executed)
            except DatasetError as error:
                if maker is None:
                    raise
                _log.warning("%s", error)
                self._make_again(maker, f"its output {name} is damaged or missing")
                artifact = self._decider.artifact(name)
            if artifact is not None and artifact.path:
                versions.pin(dataset, artifact.version)
        return len(self._executed) > executed

    def _make_again(self, node: Node, reason: str) -> None:
        decision = self._decisions[node.name]
        again = Decision(node, "run", (reason,), decision.key, decision.parts)
        self._execute(again, self._nodes.index(node) + 1, len(self._nodes))

    def _left(self, name: str, key: str) -> Artifact | None:
        """What a node that has just run left of an output."""
        dataset = self._dataset(name)
        if versions.is_volatile(dataset):
            return None
        if is_in_memory(dataset):
            return Artifact("", None, 0, fingerprint([key, name]))
        return versions.artifact_of(dataset, self._save_version(name), self._decider.digests)

    def _results_in_memory_wanted(self, node: Node) -> bool:
        """Whether the caller gets an output of the node that nothing keeps."""
        return any(is_in_memory(self._dataset(name)) and self._readers[name] == 0 for name in node.outputs)

    def _save_version(self, name: str) -> str | None:
        dataset = self._dataset(name)
        version: str | None = dataset.resolve_save_version() if versions.is_versioned(dataset) else None
        return version

    def _kept(self, names: Iterable[str]) -> list[str]:
        return [name for name in names if not is_in_memory(self._dataset(name))]

    def _release(self, node: Node) -> None:
        """Free inputs that no later node reads."""
        for name in set(node.inputs):
            self._readers[name] -= 1
            if self._readers[name] == 0 and not is_parameter(name) and name not in self._pipeline.inputs():
                self._catalog.release(name)

    def _dataset(self, name: str) -> Any:
        return versions.dataset(self._catalog, name)
