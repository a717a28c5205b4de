"""What the incremental runner tells hooks, beside Kedro's own hooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kedro.framework.hooks.markers import hook_spec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kedro.io import CatalogProtocol
    from kedro.pipeline import Pipeline
    from kedro.pipeline.node import Node
    from pluggy import PluginManager

    from archatlas.kedro_ext.decisions import Decision
    from archatlas.kedro_ext.records import NodeRecord


class RunnerSpecs:
    """Hooks are written with Kedro's ``hook_impl`` and take any of these arguments, by name."""

    @hook_spec
    def after_nodes_decided(
        self, decisions: Sequence[Decision], pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]
    ) -> None:
        """Before the first node runs: what will run, and why; of some it depends on what others will leave."""

    @hook_spec
    def after_node_settled(
        self,
        node: Node,
        record: NodeRecord,
        executed: bool,
        reasons: tuple[str, ...],
        catalog: CatalogProtocol[Any, Any],
        run_id: str,
    ) -> None:
        """The outputs of a node stand: it has run, or the outputs that ``record`` names are used again."""


def know_runner_hooks(manager: PluginManager) -> None:
    """Make a hook manager know these hooks; managers that know none (Kedro's empty one) stay as they are."""
    if not hasattr(manager, "add_hookspecs"):
        return
    known = getattr(manager.hook, "after_node_settled", None)
    if known is None or not known.has_spec():
        manager.add_hookspecs(RunnerSpecs)
