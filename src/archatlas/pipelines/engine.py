"""The engine of a run: chosen by its parameters, reached before its first node, left at its end."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from kedro.framework.hooks import hook_impl

from archatlas.kedro_ext.internals import at_end_of_run

if TYPE_CHECKING:
    from kedro.framework.context import KedroContext

    from archatlas.kedro_ext.decisions import Decision


class EngineHook:
    """Have a run's tasks done as its parameter ``engine`` says.

    No node has that parameter as an input, since no result depends on it. A cluster is connected to once it is known
    that something runs: what it lacks is told before any node.
    """

    def __init__(self) -> None:
        self._parameters: dict[str, Any] = {}
        self._engine: ExitStack | None = None

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        self._parameters = context.config_loader["parameters"]

    @hook_impl
    def before_pipeline_run(self) -> None:
        self._engine = None

    @hook_impl(tryfirst=True)
    def after_nodes_decided(self, decisions: Sequence[Decision]) -> None:
        if any(decision.action != "reuse" for decision in decisions):
            self._start()

    @hook_impl(tryfirst=True)
    def before_node_run(self) -> None:
        # A runner that decides nothing runs everything.
        if self._engine is None:
            self._start()

    def _start(self) -> None:
        from archatlas.engines.make import working_on
        from archatlas.engines.parameters import EngineParameters

        self._engine = ExitStack()
        at_end_of_run(self._engine.close)
        self._engine.enter_context(working_on(EngineParameters.model_validate(self._parameters["engine"])))
