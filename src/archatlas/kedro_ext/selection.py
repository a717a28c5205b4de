"""What ``kedro run`` is asked to run, checked against what there is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import click
from kedro.pipeline import Pipeline

from archatlas.kedro_ext.names import nearest

_FILTERS = {
    "tags": "tags",
    "from_nodes": "from_nodes",
    "to_nodes": "to_nodes",
    "node_names": "node_names",
    "from_inputs": "from_inputs",
    "to_outputs": "to_outputs",
    "namespaces": "node_namespaces",
}
"""Options of ``kedro run`` and what :meth:`kedro.pipeline.Pipeline.filter` calls them."""


def selected_pipeline(options: Mapping[str, Any], registered: Mapping[str, Pipeline]) -> Pipeline:
    """The nodes that ``kedro run`` with these options runs.

    Raises click.ClickException for a name that nothing has, with the nearest ones, and if no node is left.
    """
    names = options.get("pipelines") or ([options["pipeline"]] if options.get("pipeline") else ["__default__"])
    for name in names:
        if name not in registered:
            hint = nearest(name, (one for one in registered if not one.startswith("_")))
            raise click.ClickException(f"--pipelines: there is no pipeline `{name}`{hint}")
    pipeline = sum((registered[name] for name in names), Pipeline([]))
    for option, what, known in _known(pipeline):
        for name in _asked(options.get(option)):
            if name not in known:
                same = f"; a pipeline is: --pipelines={name}" if name in registered else nearest(name, known)
                raise click.ClickException(f"{_written(option)}: {what} `{name}`{same}")
    filters = {argument: options.get(option) for option, argument in _FILTERS.items()}
    try:
        return pipeline.filter(**filters)
    except ValueError as error:
        given = " ".join(
            f"{_written(option)}={','.join(_asked(options.get(option)))}" for option in _FILTERS if options.get(option)
        )
        raise click.ClickException(
            f"no node of {', '.join(names)} meets all of {given}: each holds for some node, but for none do all. Leave "
            "one out."
        ) from error


def _known(pipeline: Pipeline) -> Iterator[tuple[str, str, set[str]]]:
    """Each option that takes names, what to say of one that nothing has, and the names that there are."""
    nodes = {node.name for node in pipeline.nodes}
    for option in ("node_names", "from_nodes", "to_nodes"):
        yield option, "no node of what runs is called", nodes
    yield "tags", "no node of what runs is tagged", {tag for node in pipeline.nodes for tag in node.tags}
    namespaces = (node.namespace.split(".") for node in pipeline.nodes if node.namespace)
    prefixes = {".".join(parts[: count + 1]) for parts in namespaces for count in range(len(parts))}
    yield "namespaces", "no namespace of what runs is called", prefixes
    for option in ("from_inputs", "to_outputs"):
        yield option, "no data set of what runs is called", set(pipeline.datasets())


def _asked(value: Iterable[str] | str | None) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())


def _written(option: str) -> str:
    """The option as it stands on the command line."""
    return "--nodes" if option == "node_names" else f"--{option.replace('_', '-')}"
