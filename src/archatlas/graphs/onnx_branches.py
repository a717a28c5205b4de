"""Branches of ONNX files that do not depend on data: the one that runs stands in the place of the choice."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def take_branches(graph: Any) -> None:
    """Put the operators of a branch where an ``If`` chooses it by a constant; other choices stay as they are."""
    taken, waiting = [], list(reversed(graph.node))
    truths = {tensor.name: truth for tensor in graph.initializer if (truth := _truth(tensor)) is not None}
    while waiting:
        node = waiting.pop()
        branch = _chosen(node, truths)
        if branch is None:
            taken.append(node)
            _learn(node, truths)
            continue
        inner = _renamed(branch, f"{node.output[0]}/")
        truths.update((tensor.name, truth) for tensor in inner.initializer if (truth := _truth(tensor)) is not None)
        graph.initializer.extend(inner.initializer)
        waiting.extend(reversed([*inner.node, *_handed_out(inner.output, node.output)]))
    del graph.node[:]
    graph.node.extend(taken)


def _chosen(node: Any, truths: dict[str, bool]) -> Any | None:
    if node.op_type != "If" or not node.input or not node.output or node.input[0] not in truths:
        return None
    wanted = "then_branch" if truths[node.input[0]] else "else_branch"
    branch = next((attribute.g for attribute in node.attribute if attribute.name == wanted), None)
    return branch if branch is not None and len(branch.output) == len(node.output) else None


def _learn(node: Any, truths: dict[str, bool]) -> None:
    """What is true of a node's result, if it is a constant."""
    if not node.output:
        return
    if node.op_type == "Constant":
        truth = next((_truth(attribute.t) for attribute in node.attribute if attribute.HasField("t")), None)
    elif node.op_type in ("Identity", "Cast", "Not") and node.input and node.input[0] in truths:
        truth = truths[node.input[0]] != (node.op_type == "Not")
    else:
        truth = None
    if truth is not None:
        truths[node.output[0]] = truth


def _truth(tensor: Any) -> bool | None:
    """What a constant of one number says; None of others."""
    from onnx import numpy_helper

    if len(tensor.dims) > 1 or any(size != 1 for size in tensor.dims) or tensor.external_data:
        return None
    try:
        return bool(numpy_helper.to_array(tensor).reshape(-1)[0])
    except (ValueError, TypeError, KeyError, IndexError):  # Damaged, or a word.
        return None


def _renamed(branch: Any, prefix: str) -> Any:
    """A copy whose own values have names that no other graph of the file has."""
    copied = type(branch).FromString(branch.SerializeToString())
    own = {tensor.name for tensor in copied.initializer}
    own.update(output for node in copied.node for output in node.output if output)
    for named in (*copied.initializer, *copied.output):
        named.name = f"{prefix}{named.name}" if named.name in own else named.name
    _rename(copied.node, {name: f"{prefix}{name}" for name in own})
    return copied


def _rename(nodes: Iterable[Any], names: dict[str, str]) -> None:
    """Names in nodes, and in graphs inside them, which may read what is outside."""
    for node in nodes:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                _rename(graph.node, names)
                for output in graph.output:
                    output.name = names.get(output.name, output.name)


def _handed_out(made: Iterable[Any], outputs: Iterable[str]) -> list[Any]:
    from onnx import helper

    return [helper.make_node("Identity", [value.name], [output]) for value, output in zip(made, outputs, strict=True)]
