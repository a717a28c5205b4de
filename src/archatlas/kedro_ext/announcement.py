"""Say before a run what it will do, and after it where the results lie."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from kedro.framework.hooks import hook_impl

from archatlas.kedro_ext.parameter_check import load

if TYPE_CHECKING:
    from kedro.framework.context import KedroContext
    from kedro.io import CatalogProtocol
    from kedro.pipeline import Pipeline

_log = logging.getLogger("archatlas")


class AnnouncementHook:
    """Log the lines of ``before(parameters, pipeline, catalog)`` and ``after(parameters, pipeline, catalog)``.

    Both are ``"package.module:function"``, imported when a run starts, and return a list of lines.
    """

    def __init__(self, before: str, after: str) -> None:
        self._before = before
        self._after = after
        self._parameters: dict[str, Any] = {}

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        self._parameters = context.config_loader["parameters"]

    @hook_impl
    def before_pipeline_run(self, pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> None:
        for line in load(self._before)(self._parameters, pipeline, catalog):
            _log.info(line)

    @hook_impl
    def after_pipeline_run(self, pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> None:
        for line in load(self._after)(self._parameters, pipeline, catalog):
            _log.info(line)
