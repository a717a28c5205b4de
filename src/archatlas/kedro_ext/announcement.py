"""Say before a run what it will do, on the way what is left, and after it where the results lie."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kedro.framework.hooks import hook_impl
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from archatlas.kedro_ext.parameter_check import load

if TYPE_CHECKING:
    from kedro.framework.context import KedroContext
    from kedro.io import CatalogProtocol

    from archatlas.kedro_ext.decisions import Decision

_log = logging.getLogger("archatlas")


class AnnouncementHook:
    """Log lines before a run, between its nodes and after it.

    These are the lines of ``before(parameters, pipeline, catalog)``, of ``between(parameters, nodes, catalog,
    outputs)`` with the nodes that are left and the names of what the last one has made, and of ``after(parameters,
    pipeline, catalog)``, each ``"package.module:function"``, imported when it is needed. Under the incremental runner
    ``pipeline`` holds the nodes that run, or may have to; where none runs nothing is said but that.
    """

    def __init__(self, before: str, between: str, after: str) -> None:
        self._before = before
        self._between = between
        self._after = after
        self._parameters: dict[str, Any] = {}
        self._waiting: Pipeline | None = None
        self._left: dict[str, Node] = {}
        self._outputs: list[str] = []

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        self._parameters = context.config_loader["parameters"]

    @hook_impl
    def before_pipeline_run(self, pipeline: Pipeline) -> None:
        self._waiting = pipeline
        self._outputs = []

    @hook_impl
    def after_nodes_decided(
        self, decisions: Sequence[Decision], pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]
    ) -> None:
        running = [decision.node for decision in decisions if decision.action != "reuse"]
        if not running:
            count = len(decisions)
            _log.info("Nothing changed: %s.", f"the results of all {count} nodes stand" if count > 1 else "it stands")
            self._waiting = None
        else:
            self._announce(Pipeline(running), catalog)

    @hook_impl
    def before_node_run(self, catalog: CatalogProtocol[Any, Any]) -> None:
        # A runner that decides nothing runs everything.
        if self._waiting is not None:
            self._announce(self._waiting, catalog)
        if self._outputs:  # They are in the catalog by now; when their node had run they were not.
            outputs, self._outputs = self._outputs, []
            self._say(load(self._between)(self._parameters, list(self._left.values()), catalog, outputs))

    @hook_impl
    def after_node_run(self, node: Node) -> None:
        self._left.pop(node.name, None)
        self._outputs = node.outputs

    @hook_impl
    def after_pipeline_run(self, pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> None:
        self._say(load(self._after)(self._parameters, pipeline, catalog))

    def _announce(self, pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> None:
        self._waiting = None
        self._left = {node.name: node for node in pipeline.nodes}
        self._say(load(self._before)(self._parameters, pipeline, catalog))

    @staticmethod
    def _say(lines: Sequence[str]) -> None:
        for line in lines:
            _log.info(line)
