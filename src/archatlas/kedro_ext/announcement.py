"""Say before a run what it will do, and after it where the results lie."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kedro.framework.hooks import hook_impl
from kedro.pipeline import Pipeline

from archatlas.kedro_ext.parameter_check import load

if TYPE_CHECKING:
    from kedro.framework.context import KedroContext
    from kedro.io import CatalogProtocol

    from archatlas.kedro_ext.decisions import Decision

_log = logging.getLogger("archatlas")


class AnnouncementHook:
    """Log the lines of ``before(parameters, pipeline, catalog)`` and ``after(parameters, pipeline, catalog)``.

    Both are ``"package.module:function"``, imported when they are needed, and return a list of lines. Under the
    incremental runner ``pipeline`` before a run holds the nodes that run, or may have to, and where there are none
    nothing is said but that.
    """

    def __init__(self, before: str, after: str) -> None:
        self._before = before
        self._after = after
        self._parameters: dict[str, Any] = {}
        self._waiting: Pipeline | None = None

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        self._parameters = context.config_loader["parameters"]

    @hook_impl
    def before_pipeline_run(self, pipeline: Pipeline) -> None:
        self._waiting = pipeline

    @hook_impl
    def after_nodes_decided(
        self, decisions: Sequence[Decision], pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]
    ) -> None:
        running = [decision.node for decision in decisions if decision.action != "reuse"]
        if not running:
            _log.info("Nothing changed: the results of all %d nodes stand.", len(decisions))
            self._waiting = None
        else:
            self._announce(Pipeline(running), catalog)

    @hook_impl
    def before_node_run(self, catalog: CatalogProtocol[Any, Any]) -> None:
        # A runner that decides nothing runs everything.
        if self._waiting is not None:
            self._announce(self._waiting, catalog)

    @hook_impl
    def after_pipeline_run(self, pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> None:
        for line in load(self._after)(self._parameters, pipeline, catalog):
            _log.info(line)

    def _announce(self, pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> None:
        self._waiting = None
        for line in load(self._before)(self._parameters, pipeline, catalog):
            _log.info(line)
