"""Simple features of computation graphs: one vector of fixed names, whatever the network.

They say nothing of a search space, so a predictor that is fitted to networks of one serves those of another. They are
taken of the deployed graph (batch norms in the convolutions), so that a module and its export have the same, as far as
the exporter keeps the operators.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from archatlas.graphs.computation import INDEX, OPERATORS, WEIGHTED, ComputationGraph, deployed
from archatlas.graphs.graph_builder import GraphBuilder

Floats = NDArray[np.float64]
Masks = dict[str, NDArray[np.bool_]]

_LEVELS = ("full", "half", "quarter", "eighth", "sixteenth", "thirty_second", "one_place")
"""Height (or width) of the maps that a node reads against the image's; what lies below a 32nd counts as a 32nd."""

_COUNTED = OPERATORS[1:]


@cache
def statistic_names() -> tuple[str, ...]:
    """Names of the features, in order."""
    return tuple(_named(GraphBuilder((1, 3, 8, 8)).graph([0])))


def statistics(graph: ComputationGraph) -> Floats:
    """The features ``[f]`` of a graph, in the order of ``statistic_names``; logarithms are of 1 + x, base e."""
    return np.array(list(_named(deployed(graph)).values()), dtype=np.float64)


def statistics_of(graphs: Iterable[ComputationGraph]) -> Floats:
    """The features ``[n, f]`` of many graphs."""
    return np.array([statistics(graph) for graph in graphs], dtype=np.float64).reshape(-1, len(statistic_names()))


def _named(graph: ComputationGraph) -> dict[str, float]:
    return {
        **_totals(graph),
        **_counts(graph),
        **_shares(graph),
        **_widths(graph),
        **_profile(graph),
        **_paths(graph),
    }


def _weighted(graph: ComputationGraph) -> NDArray[np.bool_]:
    """Nodes with weights that cost MACs: convolutions and linear maps."""
    return np.isin(graph.nodes["operator"], [INDEX[name] for name in WEIGHTED])


def _log(value: float | NDArray[np.number]) -> float:
    return float(np.log1p(max(float(value), 0.0)))


def _share(part: float, whole: float) -> float:
    return float(part) / float(whole) if whole else 0.0


def _totals(graph: ComputationGraph) -> dict[str, float]:
    nodes, weighted = graph.nodes, _weighted(graph)
    written = nodes["channels_out"].astype(np.float64) * nodes["places_out"]
    activations = written[weighted].sum()
    return {
        "log_params": _log(graph.params),
        "log_macs": _log(graph.macs),
        "log_activations": _log(activations),
        "log_largest_activation": _log(written.max(initial=0)),
        "log_macs_per_param": _log(_share(graph.macs, graph.params)),
        "log_macs_per_activation": _log(_share(graph.macs, activations)),
        "log_nodes": _log(len(graph)),
        "log_weighted_nodes": _log(weighted.sum()),
        "log_edges_per_node": _log(_share(graph.edges.shape[1], len(graph))),
        "log_input_places": _log(nodes["places_out"][0]),
    }


def _kinds(graph: ComputationGraph) -> Masks:
    """Kinds of weighted nodes, and attention's products."""
    nodes = graph.nodes
    convolution = nodes["operator"] == INDEX["convolution"]
    side = np.maximum(nodes["kernel_height"], nodes["kernel_width"])
    depthwise = graph.depthwise
    grouped = convolution & (nodes["groups"] > 1) & ~depthwise
    dense = convolution & (nodes["groups"] == 1)
    return {
        "conv1": dense & (side == 1),
        "conv3": dense & (side > 1) & (side <= 3),
        "conv5": dense & (side > 3),
        "grouped": grouped,
        "depthwise3": depthwise & (side <= 3),
        "depthwise5": depthwise & (side > 3) & (side <= 5),
        "depthwise7": depthwise & (side > 5),
        "linear": nodes["operator"] == INDEX["linear"],
        "matmul": nodes["operator"] == INDEX["matmul"],
    }


def _counts(graph: ComputationGraph) -> dict[str, float]:
    counts = np.bincount(graph.nodes["operator"], minlength=len(OPERATORS))
    by_operator = {f"log_number_{name}": _log(counts[INDEX[name]]) for name in _COUNTED}
    by_kind = {
        f"log_number_{name}": _log(mask.sum()) for name, mask in _kinds(graph).items() if name not in by_operator
    }
    source, target = graph.edges
    reads = np.bincount(target, minlength=len(graph))
    operator, places = graph.nodes["operator"], graph.nodes["places_out"]
    joins = {f"log_number_{name}_joins": _log(((operator == INDEX[name]) & (reads > 1)).sum()) for name in _JOINING}
    gates = (operator[target] == INDEX["multiply"]) & (places[source] == 1) & (places[target] > 1)
    strided = np.maximum(graph.nodes["stride_height"], graph.nodes["stride_width"]) > 1
    return {
        **by_operator,
        **by_kind,
        **joins,
        "log_number_squeeze_gates": _log(gates.sum()),
        "log_number_strided": _log(strided.sum()),
    }


_JOINING = ("add", "multiply", "concat")


def _shares(graph: ComputationGraph) -> dict[str, float]:
    """Of nodes, MACs and params, what each kind has."""
    nodes, weighted = graph.nodes, _weighted(graph)
    counts = np.bincount(nodes["operator"], minlength=len(OPERATORS))
    found = {f"share_{name}": _share(counts[INDEX[name]], len(graph) - 1) for name in _COUNTED}
    for name, mask in _kinds(graph).items():
        found[f"macs_share_{name}"] = _share(nodes["macs"][mask].sum(), graph.macs)
        found[f"params_share_{name}"] = _share(nodes["params"][mask].sum(), graph.params)
    found["share_bias"] = _share(nodes["bias"][weighted].sum(), weighted.sum())
    return found


def _widths(graph: ComputationGraph) -> dict[str, float]:
    weighted = _weighted(graph)
    inward, outward = (
        np.log1p(graph.nodes[name][weighted].astype(np.float64)) for name in ("channels_in", "channels_out")
    )
    macs = graph.nodes["macs"][weighted].astype(np.float64)
    some = len(outward) > 0
    return {
        "log_width_mean": float(outward.mean()) if some else 0.0,
        "log_width_deviation": float(outward.std()) if some else 0.0,
        "log_width_largest": float(outward.max(initial=0)),
        "log_width_first": float(outward[0]) if some else 0.0,
        "log_width_by_macs": _share(float((outward * macs).sum()), float(macs.sum())),
        "log_features_last": float(inward[-1]) if some else 0.0,
        "log_expansion": float(np.abs(outward - inward).mean()) if some else 0.0,
        "log_kernel_mean": _log(np.sqrt(graph.nodes["kernel_height"] * graph.nodes["kernel_width"])[weighted].mean())
        if some
        else 0.0,
        "log_groups_mean": float(np.log1p(graph.nodes["groups"][weighted]).mean()) if some else 0.0,
    }


def _profile(graph: ComputationGraph) -> dict[str, float]:
    """At each resolution: weighted nodes, widest of them, and their share of MACs and params."""
    nodes, weighted = graph.nodes, _weighted(graph)
    ratio = nodes["places_out"][0] / np.maximum(nodes["places_in"], 1)
    level = np.clip(np.rint(np.log2(np.maximum(ratio, 1)) / 2), 0, len(_LEVELS) - 2).astype(int)
    level[nodes["places_in"] <= 1] = len(_LEVELS) - 1
    found = {}
    for index, name in enumerate(_LEVELS):
        here = weighted & (level == index)
        found[f"log_number_at_{name}"] = _log(here.sum())
        found[f"log_width_at_{name}"] = _log(nodes["channels_out"][here].max(initial=0))
        found[f"macs_share_at_{name}"] = _share(nodes["macs"][here].sum(), graph.macs)
        found[f"params_share_at_{name}"] = _share(nodes["params"][here].sum(), graph.params)
    return found


def _paths(graph: ComputationGraph) -> dict[str, float]:
    """Most and fewest weighted nodes on a way from input to output, number of ways, lengths of skips, receptive field.

    Ways end at nodes that no edge leaves, of which several outputs have several. The receptive field is the largest
    over the ways, each kernel as wide as the strides before it make it.
    """
    weighted = _weighted(graph)
    nodes, size = graph.nodes, len(graph)
    sources: list[list[int]] = [[] for _ in range(size)]
    for source, target in graph.edges.T.tolist():
        sources[target].append(source)
    own = weighted.tolist()
    scale = np.sqrt(nodes["places_out"][0] / np.maximum(nodes["places_in"], 1)).tolist()
    side = (np.maximum(nodes["kernel_height"], nodes["kernel_width"]) - 1).tolist()
    longest, shortest, layers, field = [0] * size, [0] * size, [0] * size, [1.0] * size
    ways = [0.0] * size
    skipped: list[int] = []
    for node, read in enumerate(sources):
        if not read:
            continue
        depth = max(longest[one] for one in read)
        if len(read) > 1:
            skipped.extend(depth - longest[one] for one in read)
        longest[node] = depth + own[node]
        shortest[node] = min(shortest[one] for one in read) + own[node]
        layers[node] = 1 + max(layers[one] for one in read)
        field[node] = max(field[one] for one in read) + side[node] * scale[node]
        ways[node] = _log_of_sum([ways[one] for one in read])
    ends = np.setdiff1d(np.arange(size), graph.edges[0]).tolist()
    deepest = max(layers[end] for end in ends)
    skips = np.array([length for length in skipped if length > 0], dtype=np.float64)
    return {
        "log_depth": _log(max(longest[end] for end in ends)),
        "log_depth_shortest": _log(min(shortest[end] for end in ends)),
        "log_depth_nodes": _log(deepest),
        "log_ways": _log(_log_of_sum([ways[end] for end in ends])),
        "log_width_of_graph": _log(_share(size, deepest)),
        "log_number_skips": _log(len(skips)),
        "skips_per_weighted_node": _share(len(skips), float(weighted.sum())),
        "log_skip_length": _log(skips.mean()) if len(skips) else 0.0,
        "log_receptive_field": _log(max(field[end] for end in ends)),
    }


def _log_of_sum(logs: list[float]) -> float:
    """The logarithm of a sum of numbers that may be too large to write, of their logarithms."""
    highest = max(logs)
    return highest + float(np.log(sum(np.exp(one - highest) for one in logs)))
