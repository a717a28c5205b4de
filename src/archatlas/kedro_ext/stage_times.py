"""When each node ran, how long, and how much memory it took at its peak, kept in a JSON data set of its own."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psutil
from kedro.framework.hooks import hook_impl

if TYPE_CHECKING:
    from kedro.io import CatalogProtocol
    from kedro.pipeline import Pipeline
    from kedro.pipeline.node import Node

_MIB = 2**20


class StageTimesHook:
    """Record every node of sequential runs; a re-run of one stage keeps what is known of the others.

    A node's time counts from the loading of its first input to the saving of its last output, since a streamed output
    is computed while it is saved. Memory is the largest resident set of this process and its children, sampled.
    """

    def __init__(self, dataset: str) -> None:
        self._dataset = dataset
        self._catalog: CatalogProtocol[Any, Any] | None = None
        self._started: dict[str, tuple[float, str]] = {}
        self._times: dict[str, dict[str, Any]] = {}
        self._memory: _PeakMemory | None = None

    @hook_impl
    def before_pipeline_run(self, pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> None:
        if self._dataset not in catalog:
            return
        self._catalog = catalog
        self._times = catalog.load(self._dataset) if catalog.exists(self._dataset) else {}
        catalog.save(self._dataset, self._times)
        self._memory = _PeakMemory()
        self._memory.start()

    @hook_impl
    def before_dataset_loaded(self, node: Node) -> None:
        self._begin(node)

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        self._begin(node)

    @hook_impl
    def after_node_run(self, node: Node) -> None:
        self._note(node)

    @hook_impl
    def after_dataset_saved(self, node: Node) -> None:
        self._note(node)

    @hook_impl
    def after_pipeline_run(self) -> None:
        self._stop()

    @hook_impl
    def on_pipeline_error(self) -> None:
        self._stop()

    def _begin(self, node: Node) -> None:
        if self._memory is not None and node.name not in self._started:
            self._started[node.name] = (time.perf_counter(), datetime.now(UTC).isoformat(timespec="seconds"))
            self._memory.reset()

    def _note(self, node: Node) -> None:
        if self._memory is None or self._catalog is None:
            return
        begun, stamp = self._started[node.name]
        self._times[node.name] = {
            "started": stamp,
            "seconds": round(time.perf_counter() - begun, 3),
            "peak_memory_mib": round(self._memory.peak / _MIB, 1),
        }
        self._catalog.save(self._dataset, self._times)

    def _stop(self) -> None:
        if self._memory is not None:
            self._memory.stop()
            self._memory = None


class _PeakMemory(threading.Thread):
    """Samples the resident memory of this process and its children five times a second."""

    def __init__(self) -> None:
        super().__init__(daemon=True, name="peak-memory")
        self._over = threading.Event()
        self._process = psutil.Process()
        self.peak = 0

    def reset(self) -> None:
        self.peak = self._resident()

    def stop(self) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        while not self._over.wait(0.2):
            self.peak = max(self.peak, self._resident())

    def _resident(self) -> int:
        total = 0
        for process in [self._process, *self._process.children(recursive=True)]:
            try:
                total += process.memory_info().rss
            except psutil.Error:  # A child that has just ended takes no memory.
                continue
        return total
