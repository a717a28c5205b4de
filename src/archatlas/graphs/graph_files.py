"""Computation graphs in files: JSON Lines, a graph a line, each line complete in itself."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from archatlas.errors import ArchatlasError, brief
from archatlas.graphs.aten_operators import SPLITS, AtenCall, add_call
from archatlas.graphs.computation import INDEX, NODE, OPERATORS, ComputationGraph
from archatlas.graphs.graph_builder import GraphBuilder, Params
from archatlas.storage.atomic import atomic_path

VERSION = 1
"""Of the format that is written here."""

_FIELDS = list(NODE.names or ())


def write_graphs(path: Path, graphs: Iterable[tuple[str, ComputationGraph]]) -> None:
    """Write named graphs, in order, atomically; gzipped if the name ends in ``.gz``.

    A line is an object: ``computation_graph`` is the format's version, ``name``, ``fields`` names what stands in each
    list of ``nodes`` (operators by name), ``edges`` are pairs of source and target.
    """
    with atomic_path(path) as temporary, _opened(temporary, "wt", path.suffix == ".gz") as file:
        for name, graph in graphs:
            file.write(json.dumps(_document(name, graph), separators=(",", ":")) + "\n")


def _document(name: str, graph: ComputationGraph) -> dict[str, Any]:
    nodes = [[OPERATORS[node[0]], *node[1:]] for node in graph.nodes.tolist()]
    return {
        "computation_graph": VERSION, "name": name, "fields": _FIELDS, "nodes": nodes, "edges": graph.edges.T.tolist(),
    }  # fmt: skip


def read_graphs(path: Path) -> Iterator[tuple[str, ComputationGraph]]:
    """Name and graph of each line: of ``write_graphs``, or a recording of PyTorch's operators (``from_recording``).

    Raises:
        ArchatlasError: naming the line, if it is neither, or of a version that is newer than this code.
    """
    with _opened(path, "rt", path.suffix == ".gz") as file:
        for number, line in enumerate(file, start=1):
            try:
                yield _parsed(json.loads(line))
            except ArchatlasError as error:
                raise ArchatlasError(f"line {number} of {path.name}: {error}") from error
            except (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError) as error:
                raise ArchatlasError(f"line {number} of {path.name} is no computation graph: {brief(error)}") from error


def _parsed(document: dict[str, Any]) -> tuple[str, ComputationGraph]:
    if "computation_graph" not in document:
        return str(document["model"]), from_recording(document["nodes"], document["img_size"])
    version = document["computation_graph"]
    if version != VERSION:
        raise ArchatlasError(f"the format has version {brief(version)}, and this code reads version {VERSION}")
    if document["fields"] != _FIELDS:
        raise ArchatlasError(f"fields of nodes must be {', '.join(_FIELDS)}, but got {brief(document['fields'])}")
    unknown = sorted({node[0] for node in document["nodes"]} - INDEX.keys())
    if unknown:
        raise ArchatlasError(f"there is no operator {brief(unknown[0])!r}; known ones: {', '.join(OPERATORS)}")
    nodes = np.array([(INDEX[name], *rest) for name, *rest in document["nodes"]], dtype=NODE)
    edges = np.array(document["edges"], dtype=np.int32).reshape(-1, 2).T.copy()
    if len(nodes) == 0 or nodes["operator"][0] != INDEX["input"]:
        raise ArchatlasError("the first node must be the input")
    if edges.size and (edges.min() < 0 or edges.max() >= len(nodes) or bool((edges[0] >= edges[1]).any())):
        raise ArchatlasError("`0 <= source < target < nodes` must hold for every edge")
    return str(document["name"]), ComputationGraph(nodes, edges)


@contextmanager
def _opened(path: Path, mode: str, zipped: bool) -> Iterator[IO[str]]:
    with gzip.open(path, mode, encoding="utf-8") if zipped else path.open(mode, encoding="utf-8") as file:
        yield cast("IO[str]", file)


def from_recording(calls: Iterable[list[Any]], image_size: int) -> ComputationGraph:
    """The graph of a recording of PyTorch's operators, views among them, on images of 3 channels.

    Args:
        calls: of each operator its name, which earlier calls it reads (-1: the image), the shape of its result, shapes
            of what else it reads (weights, statistics, constants), and where it has them its settings: stride, dilation
            and groups of convolutions (none is transposed), kernel and stride of pools.
        image_size: height and width.

    A recording tells no tensors apart but by the operators that made them: weights that several operators read, and
    buffers that they read as constants, count as parameters each time. So ``params`` may be more than the network has.
    """
    shape = (1, 3, image_size, image_size)
    builder = GraphBuilder(shape)
    node_of: dict[int, int | None] = {-1: 0}
    shapes: dict[int, Any] = {-1: shape}
    waiting: dict[int, int] = {}
    splits: set[int] = set()
    for index, (name, reads, made, constants, *settings) in enumerate(calls):
        name = name.rstrip("_")
        count = _params(name, constants) + sum(waiting.pop(read, 0) for read in set(reads))
        node_of[index], shapes[index] = None, made
        if all(node_of[read] is None for read in reads):
            waiting[index] = count
            continue
        if name in SPLITS:
            splits.add(index)
        read = [(shapes[one], _part(builder, node_of[one], one in splits)) for one in reads]
        operands = _ordered(name, read, [(one, None) for one in constants])
        settings_of = _settings(name, settings[0] if settings else [], operands)
        params: Params = {index: count} if count else {}
        node_of[index] = add_call(builder, AtenCall(name, operands, made, params, **settings_of))
    last = max(index for index, node in node_of.items() if node is not None)
    output = node_of[last]
    assert output is not None
    return builder.graph([output])


def _part(builder: GraphBuilder, node: int | None, of_split: bool) -> int | None:
    """The node, or a part of it: which part of a split is read is not known, so that no two are taken to be one."""
    return builder.result(node) if of_split and node is not None else node


def _params(name: str, constants: list[list[int]]) -> int:
    """Parameters among the constants: not running statistics, which norms of batches end in, nor indices."""
    if name == "native_batch_norm":
        constants = constants[:-2]
    elif name == "index":
        constants = constants[:1]
    return sum(prod(shape) for shape in constants)


_Operands = list[tuple[Any, int | None]]


def _ordered(name: str, read: _Operands, constants: _Operands) -> _Operands:
    """The operands in the operator's own order, which a recording does not keep."""
    if name == "addmm" and len(constants) == 2:
        return [constants[0], *read, constants[1]]
    # The weights of a product may be its left factor.
    if name in ("mm", "bmm") and len(constants) == 1 and read[0][0][-1] != constants[0][0][-2]:
        return [*constants, *read]
    return [*read, *constants]


def _settings(name: str, settings: list[Any], operands: _Operands) -> dict[str, Any]:
    if name == "convolution":
        stride, _, groups = settings
        (given, node), weight = operands[0], operands[1][0]
        # A split stands there with the shape of its first part, which need not be the part that is read.
        operands[0] = ([given[0], weight[1] * groups, *given[2:]], node)
        return {"stride": stride, "groups": groups}
    if settings and name.startswith(("max_pool", "avg_pool")):
        return {"kernel": settings[0], "stride": settings[1] if len(settings) > 1 else ()}
    return {}
