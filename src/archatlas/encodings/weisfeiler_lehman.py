"""Weisfeiler-Lehman labels of architecture graphs, for whole batches at once.

A node's label in round 0 stands for its features; in round r it stands for its own label, the multiset of its
predecessors' and the multiset of its successors' labels of round r - 1 (Shervashidze et al., JMLR 2011, section 3.1,
with in- and out-neighbours kept apart as the edges are directed). Labels are 64-bit hashes instead of compressed
numbers, so that a label means the same in every batch, and a multiset is the wrapping sum of its mixed members: no
sorting, no Python per graph. Among a million distinct labels the chance of any collision is below 1e-7.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from archatlas.graphs.architecture_graphs import ArchitectureGraphs
from archatlas.graphs.hashing import mix

Labels = NDArray[np.int64]
"""Hashes, kept as int64 since that is what files of tensors hold."""


def node_labels(graphs: ArchitectureGraphs) -> Labels:
    """Labels of round 0, ``[n, v]``: equal where the features are equal, to the last bit. Padding is 0."""
    features = np.ascontiguousarray(graphs.features + np.float32(0))  # -0.0 becomes 0.0
    bits = features.view(np.uint32).astype(np.uint64)
    factors = mix(np.arange(features.shape[2], dtype=np.uint64)) | np.uint64(1)
    labels = mix(np.einsum("nvf,f->nv", bits, factors))
    return np.where(graphs.mask, labels, np.uint64(0)).view(np.int64)


_PAIRS_AT_ONCE = 2**22
"""Pairs of nodes whose edges are numbers at a time, 32 MiB of them."""


def wl_labels(graphs: ArchitectureGraphs, rounds: int) -> Labels:
    """Labels of rounds 0 to ``rounds``, ``[rounds + 1, n, v]``. Padding is 0."""
    nodes = graphs.mask.shape[1]
    labels: Labels = np.zeros((rounds + 1, *graphs.mask.shape), dtype=np.int64)
    step = max(_PAIRS_AT_ONCE // max(nodes, 1) ** 2, 1)
    for start in range(0, len(graphs), step):
        labels[:, start : start + step] = _labels_of_chunk(graphs[start : start + step], rounds)
    return labels


def _labels_of_chunk(graphs: ArchitectureGraphs, rounds: int) -> Labels:
    per_round = [node_labels(graphs)]
    edges = graphs.adjacency.astype(np.uint64)
    for _ in range(rounds):
        label = per_round[-1].view(np.uint64)
        sent = mix(label)
        from_predecessors = np.einsum("nij,ni->nj", edges, sent)
        from_successors = np.einsum("nij,nj->ni", edges, sent)
        relabelled = mix(label + np.uint64(3) * mix(from_predecessors) + np.uint64(5) * mix(from_successors))
        per_round.append(np.where(graphs.mask, relabelled, np.uint64(0)).view(np.int64))
    return np.stack(per_round)


def vocabulary(labels: Labels, mask: NDArray[np.bool_], at_least: int = 1) -> Labels:
    """The distinct labels of nodes inside ``mask`` that occur ``at_least`` so often, sorted, ``[t]``."""
    found, counts = np.unique(labels[mask], return_counts=True)
    return found[counts >= at_least]


def label_counts(labels: Labels, mask: NDArray[np.bool_], known: Labels) -> NDArray[np.float64]:
    """How often each known label occurs in each graph, ``[n, t]``. Unknown labels are not counted.

    Args:
        labels: ``[n, v]`` of one round
        mask: bool ``[n, v]``
        known: sorted labels ``[t]``
    """
    counts = np.zeros((len(labels), len(known) + 1))
    if len(known):
        place = np.minimum(np.searchsorted(known, labels), len(known) - 1)
        place = np.where(mask & (known[place] == labels), place, len(known))
        flat = np.arange(len(labels))[:, None] * (len(known) + 1) + place
        counts = np.bincount(flat.ravel(), minlength=counts.size).reshape(counts.shape).astype(np.float64)
    return counts[:, :-1]
