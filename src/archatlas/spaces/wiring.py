"""Free wiring: directed graphs on ordered vertices of which any may read any before it.

Vertex 0 is a pseudo-source, the cell's input; each of the vertices 1 to n holds an operation that belongs to the place
and is not chosen. What is chosen are edges (u, v), u < v, of the complete DAG: a row of bits, ordered by target and
then by source, (0, 1), (0, 2), (1, 2), (0, 3), ... A vertex is used if the source reaches it. Used vertices that no
other reads are sinks, and sinks make up the cell's output, so all that is used counts.

Inside, graphs are ``reads`` ``[n, 1 + vertices]``: for each vertex the set of those that it reads.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from archatlas.spaces.protocol import Choices

Sets = NDArray[np.uint64]
"""Sets of vertices: bit u is vertex u."""

MOST_READ_BESIDE = 1.5
"""Of a drawn graph: the mean number of sources that a vertex reads beside its first is at most this."""

_ONE = np.uint64(1)


@cache
def pairs(vertices: int) -> tuple[tuple[int, int], ...]:
    """Source and target of each position of a row: the edges of the complete DAG on ``vertices`` and the source."""
    return tuple((source, target) for target in range(1, vertices + 1) for source in range(target))


def bit(vertices: NDArray[np.integer] | int) -> Sets:
    """The set of one vertex alone, for each."""
    one: Sets = np.left_shift(_ONE, np.asarray(vertices).astype(np.uint64))
    return one


def members(sets: Sets, vertices: int) -> NDArray[np.bool_]:
    """Whether the source and each vertex is in a set: ``[...]`` to bool ``[..., 1 + vertices]``."""
    held: NDArray[np.bool_] = (sets[..., None] & bit(np.arange(vertices + 1))) != 0
    return held


def sets_of(held: NDArray[np.bool_]) -> Sets:
    """Inverse of ``members``."""
    sets: Sets = np.where(held, bit(np.arange(held.shape[-1])), np.uint64(0)).sum(axis=-1, dtype=np.uint64)
    return sets


def reads_of(rows: Choices, vertices: int) -> Sets:
    """What each vertex reads, ``[n, 1 + vertices]``, by rows ``[n, pairs]``; the source reads nothing."""
    reads = np.zeros((len(rows), vertices + 1), dtype=np.uint64)
    for target in range(1, vertices + 1):
        first = target * (target - 1) // 2
        reads[:, target] = sets_of(rows[:, first : first + target] > 0)
    return reads


def rows_of(reads: Sets) -> Choices:
    """Inverse of ``reads_of``."""
    sources, targets = np.array(pairs(reads.shape[1] - 1)).T
    rows: Choices = ((reads[:, targets] & bit(sources)) != 0).astype(np.int8)
    return rows


def used(reads: Sets) -> Sets:
    """The source and what it reaches, ``[n]``."""
    reached = np.full(len(reads), _ONE)
    for vertex in range(1, reads.shape[1]):
        reached |= np.where((reads[:, vertex] & reached) != 0, bit(vertex), np.uint64(0))
    return reached


def prune(reads: Sets) -> Sets:
    """Without the edges of vertices that the source does not reach."""
    reached = used(reads)
    return np.where(members(reached, reads.shape[1] - 1), reads & reached[:, None], np.uint64(0))


def sinks(reads: Sets) -> Sets:
    """Used vertices that no other reads, ``[n]``, of pruned graphs; never the source."""
    unread: Sets = used(reads) & ~(np.bitwise_or.reduce(reads, axis=1) | _ONE)
    return unread


def count(sets: Sets) -> NDArray[np.int64]:
    """How many vertices each set holds."""
    return np.bitwise_count(sets).astype(np.int64)


def draw(number: int, vertices: int, fewest: int, generator: np.random.Generator) -> Sets:
    """Pruned graphs, stratified by the number of used vertices, ``[n, 1 + vertices]``.

    The number is uniform from ``fewest`` to all, and which they are is uniform. Each reads one of those before it or
    the source, and each other with a probability by which a vertex reads 0 to 1.5 more on average, uniform over graphs.
    """
    size = generator.integers(fewest, vertices + 1, number)
    order = np.argsort(generator.random((number, vertices)), axis=1).argsort(axis=1)
    chosen = np.concatenate([np.ones((number, 1), dtype=np.bool_), order < size[:, None]], axis=1)
    beside = generator.random(number) * MOST_READ_BESIDE
    reads = np.zeros((number, vertices + 1), dtype=np.uint64)
    for vertex in range(1, vertices + 1):
        offered = chosen[:, :vertex]
        keys = np.where(offered, generator.random(offered.shape), 2.0)
        first = keys == keys.min(axis=1, keepdims=True)
        others = generator.random(offered.shape) * np.maximum(offered.sum(axis=1) - 1, 1)[:, None] < beside[:, None]
        reads[:, vertex] = np.where(chosen[:, vertex], sets_of(offered & (first | others)), np.uint64(0))
    return reads
