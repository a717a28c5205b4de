"""Nodes that can wait, run after all that does not need them: what serves a user comes before what is told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kedro.pipeline import Pipeline
    from kedro.pipeline.node import Node

LATE = "late"
"""The tag of such a node."""


def late_ones_last(pipeline: Pipeline) -> list[Node]:
    """The nodes, each after those that it needs; those tagged ``LATE``, and what needs them, behind all others."""
    late = [node.name for node in pipeline.nodes if LATE in node.tags]
    behind = set(pipeline.from_nodes(*late).nodes) if late else set()
    return sorted(pipeline.nodes, key=behind.__contains__)
