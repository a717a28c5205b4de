"""Numbers that describe small graphs, for whole batches at once: nodes, edges, depths, degrees, what lies on paths."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from archatlas.encodings.paths import Paths, path_numbers, reversed_graphs
from archatlas.encodings.weisfeiler_lehman import Labels
from archatlas.graphs.architecture_graphs import ArchitectureGraphs
from archatlas.graphs.hashing import mix

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

ALL_SUBSETS = 5
"""Letters up to which paths are looked at by every set of letters; of more, by sets of one and two and by all."""
DECAY = 2.0
"""How fast the weight of a path falls with its letters, in ``soft``."""


def edge_labels(graphs: ArchitectureGraphs, labels: Labels) -> tuple[Integers, Labels]:
    """Of each of all ``e`` edges: its graph, ascending, and a label by those of its ends, both ``[e]``."""
    graph, source, target = np.nonzero(graphs.adjacency)
    sent, read = mix(labels[graph, source].view(np.uint64)), labels[graph, target].view(np.uint64)
    return graph, mix(np.uint64(3) * sent + read).view(np.int64)


def node_sums(graphs: ArchitectureGraphs) -> Floats:
    """Sums over a graph's nodes of features and of products of two features, ``[n, f + f (f + 1) / 2]``."""
    features = graphs.features.astype(np.float64)
    products = features.transpose(0, 2, 1) @ features
    first, second = np.triu_indices(features.shape[2])
    return np.concatenate([features.sum(axis=1), products[:, first, second]], axis=1)


def depths(graphs: ArchitectureGraphs) -> Floats:
    """Sums of node features, weighted by the longest way from the input and by that to the output, ``[n, 2 f]``."""
    ahead, behind = path_numbers(graphs)[2], path_numbers(reversed_graphs(graphs))[2][:, ::-1]
    return np.concatenate([_weighted(graphs, ahead), _weighted(graphs, behind)], axis=1)


def degrees(graphs: ArchitectureGraphs) -> Floats:
    """Nodes, edges, and sums of node features weighted by edges into and out of a node, ``[n, 2 + 2 f]``."""
    leaving, entering = graphs.adjacency.sum(axis=2), graphs.adjacency.sum(axis=1)
    whole = np.stack([graphs.mask.sum(axis=1), leaving.sum(axis=1)], axis=1).astype(np.float64)
    return np.concatenate([whole, _weighted(graphs, entering), _weighted(graphs, leaving)], axis=1)


def path_totals(graphs: ArchitectureGraphs) -> Floats:
    """Of paths from input to output: log(1 + their number), fewest and most edges on one, ``[n, 3]``."""
    number, shortest, longest = (of_nodes[:, -1] for of_nodes in path_numbers(graphs))
    return np.stack([np.log1p(number), shortest, longest], axis=1).astype(np.float64)


def letter_sets(letters: int) -> NDArray[np.bool_]:
    """Sets of letters, bool ``[s, letters]``: all but the empty one; of many letters those of one, two and all."""
    sizes = range(1, letters + 1) if letters <= ALL_SUBSETS else (1, 2, letters)
    chosen = [members for size in sizes for members in combinations(range(letters), size)]
    sets = np.zeros((len(chosen), letters), dtype=np.bool_)
    for row, members in enumerate(chosen):
        sets[row, list(members)] = True
    return sets


def path_statistics(found: Paths, letters: Integers, number: int) -> dict[str, Floats]:
    """What stands on the paths of ``n`` graphs, by sets of letters (``letter_sets``); zero in graphs without paths.

    With c(p, S) how many nodes of path p have a letter of the set S, which is one of ``s``:

    - ``most``, ``fewest``, ``mean`` ``[n, s]``: of c(p, S) over the paths;
    - ``soft`` ``[n, s]``: log(1 + sum of exp(-2 c(p, S))), between how many paths there are and how many avoid S;
    - ``within`` ``[n, 1 + s]``: how many paths have no letter at all, and no letters but those of S;
    - ``apart`` ``[n, letters s]``: for each letter and S, 1 + the most of c(p, S) over paths without that letter.

    Args:
        found: all paths
        letters: ``[n, v]``, the letter of each node, -1: none
        number: how many letters there are
    """
    count, sets = len(letters), letter_sets(number)
    on_path = found.counts(letters, number).astype(np.float64)
    of_set = on_path @ sets.T
    total = on_path.sum(axis=1, keepdims=True)
    starts = np.flatnonzero(np.diff(found.graph, prepend=-1))
    graph = found.graph[starts]

    def over_paths(reduce: np.ufunc, values: Floats) -> Floats:
        made = np.zeros((count, values.shape[1]))
        if len(starts):
            made[graph] = reduce.reduceat(values, starts, axis=0)
        return made

    number_of_paths = np.maximum(np.bincount(found.graph, minlength=count), 1)[:, None]
    within = np.concatenate([total == 0, of_set == total], axis=1).astype(np.float64)
    without = [over_paths(np.maximum, np.where(on_path[:, [one]] > 0, 0.0, 1 + of_set)) for one in range(number)]
    return {
        "most": over_paths(np.maximum, of_set),
        "fewest": over_paths(np.minimum, of_set),
        "mean": over_paths(np.add, of_set) / number_of_paths,
        "soft": np.log1p(over_paths(np.add, np.exp(-DECAY * of_set))),
        "within": over_paths(np.add, within),
        "apart": np.concatenate([*without, np.zeros((count, 0))], axis=1),
    }


def _weighted(graphs: ArchitectureGraphs, weights: NDArray[np.integer]) -> Floats:
    """Sums of node features with node weights ``[n, v]``, ``[n, f]``; weights below zero count as zero."""
    above_zero = np.maximum(weights, 0).astype(np.float64)
    sums: Floats = np.einsum("nv,nvf->nf", above_zero, graphs.features.astype(np.float64))
    return sums
