"""Inputs that a node does without where nothing has made them yet.

A node that is to take what other pipelines have made, if they have run, declares these arguments as optional
(:func:`archatlas.kedro_ext.dependencies.depends_on`) and has a default for them. Where such an input is not there, the
node is run as one that never had it: nothing of it stands in the node's state, so that a further optional input makes
nothing run again before there is something in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from kedro.pipeline import Pipeline

from archatlas.kedro_ext.dependencies import dependencies_of
from archatlas.kedro_ext.internals import with_inputs, written_inputs

if TYPE_CHECKING:
    from kedro.pipeline.node import Node


def optional_inputs(node: Node) -> set[str]:
    """Names of the data sets that the node does without."""
    patterns, written = dependencies_of(node.func).optional, written_inputs(node)
    if not patterns or not isinstance(written, Mapping):
        return set()
    return {name for argument, name in written.items() if any(fnmatchcase(argument, one) for one in patterns)}


def only_optional(pipeline: Pipeline) -> set[str]:
    """Inputs of the pipeline that every node of it does without."""
    needed = {name for node in pipeline.nodes for name in set(node.inputs) - optional_inputs(node)}
    return {name for node in pipeline.nodes for name in optional_inputs(node)} & pipeline.inputs() - needed


def without(node: Node, names: Set[str]) -> Node:
    """The node without those of its optional inputs that are among the names."""
    dropped = optional_inputs(node) & names
    if not dropped:
        return node
    return with_inputs(node, {key: name for key, name in written_inputs(node).items() if name not in dropped})


def reduced(pipeline: Pipeline, is_there: Callable[[str], bool]) -> Pipeline:
    """The pipeline with nodes that do without the optional inputs that are not there."""
    gone = {name for name in only_optional(pipeline) if not is_there(name)}
    return Pipeline([without(node, gone) for node in pipeline.nodes]) if gone else pipeline
