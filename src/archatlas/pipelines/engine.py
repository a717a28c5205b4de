"""The engine of a run: chosen by its parameters, reached before its first node, left at its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from kedro.framework.hooks import hook_impl

from archatlas.kedro_ext.internals import at_end_of_run

if TYPE_CHECKING:
    from kedro.framework.context import KedroContext
    from kedro.pipeline import Pipeline
    from kedro.pipeline.node import Node

    from archatlas.kedro_ext.decisions import Decision


class EngineHook:
    """Have a run's tasks done as its parameter ``engine`` says.

    No node has that parameter as an input, since no result depends on it. A cluster is connected to once it is known
    that something runs: what it lacks is told before any node, room for those processes among it that share a training.
    """

    def __init__(self) -> None:
        self._parameters: dict[str, Any] = {}
        self._engine: ExitStack | None = None
        self._nodes: Sequence[Node] = ()

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        self._parameters = context.config_loader["parameters"]

    @hook_impl
    def before_pipeline_run(self, pipeline: Pipeline) -> None:
        self._engine = None
        self._nodes = pipeline.nodes

    @hook_impl(tryfirst=True)
    def after_nodes_decided(self, decisions: Sequence[Decision]) -> None:
        nodes = [decision.node for decision in decisions if decision.action != "reuse"]
        if nodes:
            self._start(nodes)

    @hook_impl(tryfirst=True)
    def before_node_run(self) -> None:
        # A runner that decides nothing runs everything.
        if self._engine is None:
            self._start(self._nodes)

    def _start(self, nodes: Sequence[Node]) -> None:
        from archatlas.engines.engine import current_engine
        from archatlas.engines.make import working_on
        from archatlas.engines.parameters import EngineParameters

        self._engine = ExitStack()
        at_end_of_run(self._engine.close)
        self._engine.enter_context(working_on(EngineParameters.model_validate(self._parameters["engine"])))
        if any("finishing_trainings" in node.outputs for node in nodes) and current_engine().accelerator == "cpu":
            current_engine().shares(1, threads=_processes_of_finishing(self._parameters))


def _processes_of_finishing(parameters: Mapping[str, Any]) -> int:
    """That share a training of winners, where the parameters say so: a time budget plans them, tables train nothing."""
    planned = any(parameters[name] is not None for name in ("time_budget", "table", "truth"))
    return 1 if planned or parameters["finishing"] is None else int(parameters["finishing"]["processes"])
