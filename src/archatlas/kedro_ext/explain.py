"""``kedro run --explain``: what a run would do, node by node, and why, without running."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click
from kedro.framework.project import settings
from kedro.pipeline import Pipeline

from archatlas.kedro_ext.decisions import Decision
from archatlas.kedro_ext.incremental import explain
from archatlas.kedro_ext.internals import catalog_of

_COLOURS = {"run": "yellow", "wait": "cyan", "reuse": "green"}


def explain_run(options: Mapping[str, Any], pipeline: Pipeline) -> None:
    """Print the decisions for ``kedro run`` of these nodes; no lock is taken, no manifest written."""
    created = {"env": options["env"], "conf_source": options["conf_source"], "runtime_params": options["params"]}
    with settings.SESSION_CLASS.create(**created) as session:
        context = session.load_context()
        catalog = catalog_of(context, session.store["session_id"], options["load_versions"] or None)
        for line in explanation(explain(pipeline, catalog, **_records(options["runner_params"]))):
            click.echo(line)


def explanation(decisions: Sequence[Decision]) -> list[str]:
    """A line per decision, and a sum."""
    width = max((len(decision.node.name) for decision in decisions), default=0)
    lines = [
        f"{click.style(f'{decision.action:5}', fg=_COLOURS[decision.action])}  {decision.node.name:{width}}  "
        f"{'; '.join(decision.reasons)}"
        for decision in decisions
    ]
    count = {action: sum(decision.action == action for decision in decisions) for action in _COLOURS}
    waiting = f", {count['wait']} run if what they wait for comes out otherwise than before" if count["wait"] else ""
    return [*lines, f"{count['run']} of {len(decisions)} nodes run{waiting}; {count['reuse']} are used again."]


def _records(runner_params: Mapping[str, Any]) -> dict[str, Any]:
    return {"records": runner_params["records"]} if "records" in (runner_params or {}) else {}
