"""``kedro run --explain``: what a run would do, node by node, and why, without running."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

import click
from kedro.framework.project import pipelines, settings
from kedro.pipeline import Pipeline

from archatlas.kedro_ext.decisions import Decision
from archatlas.kedro_ext.incremental import explain

_COLOURS = {"run": "yellow", "wait": "cyan", "reuse": "green"}


def explain_run(options: Mapping[str, Any]) -> None:
    """Print the decisions for ``kedro run`` with these options; no lock is taken, no manifest written."""
    names = options["pipelines"] or ([options["pipeline"]] if options["pipeline"] else ["__default__"])
    created = {"env": options["env"], "conf_source": options["conf_source"], "runtime_params": options["params"]}
    with settings.SESSION_CLASS.create(**created) as session:
        context = session.load_context()
        pipeline = sum((_registered(name) for name in names), Pipeline([])).filter(
            tags=options["tags"],
            from_nodes=options["from_nodes"],
            to_nodes=options["to_nodes"],
            node_names=options["node_names"],
            from_inputs=options["from_inputs"],
            to_outputs=options["to_outputs"],
            node_namespaces=options["namespaces"],
        )
        catalog = context._get_catalog(
            save_version=session.store["session_id"], load_versions=options["load_versions"] or None
        )
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


def _registered(name: str) -> Pipeline:
    if name not in pipelines:
        near = difflib.get_close_matches(name, pipelines, n=1)
        raise ValueError(f"Failed to find the pipeline named '{name}'{f'; did you mean {near[0]!r}?' if near else '.'}")
    found: Pipeline = pipelines[name]
    return found


def _records(runner_params: Mapping[str, Any]) -> dict[str, Any]:
    return {"records": runner_params["records"]} if "records" in (runner_params or {}) else {}
