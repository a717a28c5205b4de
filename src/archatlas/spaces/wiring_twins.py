"""Which freely wired graphs are one network, and the one that stands for all of them.

Graphs that differ in the order of their vertices alone compute the same. Vertices are coloured by their operation and,
over and over, by the colours of those that they read and of those that read them, apart (Weisfeiler and Lehman, 1968).
Where colours leave vertices alike, each of these is told from the others in turn and colours are refined, and the least
of the adjacency matrices that this ends in stands for the graph (McKay, Congressus Numerantium 30, 1981, whose pruning
by automorphisms is used, too). So equal canonical rows are isomorphic graphs whatever hashes do, and isomorphic graphs
have equal rows, but for those that hardly fit into the places of their operations: where trying places is given up
(``wiring_places.py``) a graph keeps its own, and may count beside a twin.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from archatlas.graphs.hashing import Hashes, mix
from archatlas.spaces.wiring import Sets, bit, members, prune, used
from archatlas.spaces.wiring_places import Integers, placed_by, relabelled

_ROUNDS = 2
"""Sweeps up and down between two looks at the colours: what is still alike then is told apart in the other way."""

_CHUNK = 1_024
_UNUSED = np.uint64(2**64 - 1)
"""Stands where an unused vertex has no colour."""


def canonical(reads: Sets, operations: NDArray[np.integer]) -> Sets:
    """The graph that stands for each one and all its twins, pruned: ``[n, 1 + vertices]``.

    Args:
        reads: ``[n, 1 + vertices]``, pruned or not
        operations: of the vertices, ``[vertices]``
    """
    kinds = np.concatenate([[-1], operations]).astype(np.int64)
    parts = [prune(reads[start : start + _CHUNK]) for start in range(0, len(reads), _CHUNK)]
    placed = [placed_by(part, kinds, _ranks(part, kinds)) for part in parts]
    return np.concatenate(placed) if placed else reads


# -- Canonical order ---------------------------------------------------------------------------------------------------


def _ranks(reads: Sets, kinds: Integers) -> Integers:
    """The canonical order of the vertices of pruned graphs, ``[n, 1 + vertices]``: 0, 1, ..., unused ones last."""
    colours = _refined(reads, np.tile(mix(kinds.astype(np.uint64)), (len(reads), 1)))
    ordered = np.sort(colours, axis=1)
    repeated = np.flatnonzero(((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] != 0)).any(axis=1))
    if len(repeated):
        colours[repeated] = _told_apart(reads[repeated], colours[repeated])
    return _order(reads, colours)


def _refined(reads: Sets, colours: Hashes) -> Hashes:
    """Colours ``[n, 1 + vertices]`` told apart further by what is read and by who reads; unused vertices have none."""
    vertices = reads.shape[1] - 1
    held = members(used(reads), vertices)
    # Graphs last, so that sums run along them.
    edges = np.ascontiguousarray(members(reads, vertices).transpose(1, 2, 0)).astype(np.uint64)
    colours = colours.T
    for _ in range(_ROUNDS):
        up, down = np.empty_like(colours), np.empty_like(colours)
        sent = np.empty_like(colours)
        for vertex in range(vertices + 1):
            below = (edges[vertex, :vertex] * sent[:vertex]).sum(axis=0)
            up[vertex] = mix(colours[vertex] + np.uint64(3) * mix(below))
            sent[vertex] = mix(up[vertex])
        for vertex in reversed(range(vertices + 1)):
            above = (edges[vertex + 1 :, vertex] * sent[vertex + 1 :]).sum(axis=0)
            down[vertex] = mix(up[vertex] + np.uint64(5) * mix(above))
            sent[vertex] = mix(down[vertex])
        colours = down
    return np.where(held, colours.T, np.uint64(0))


def _alike(reads: Sets, colours: Hashes) -> NDArray[np.bool_]:
    """Vertices whose colour another has that does not read, and is not read by, just the same vertices."""
    vertices = reads.shape[1] - 1
    held = members(used(reads), vertices)
    readers = np.zeros_like(reads)
    for vertex in range(1, vertices + 1):
        readers |= np.where(members(reads[:, vertex], vertices), bit(vertex), np.uint64(0))
    key = np.where(held, colours, _UNUSED)
    order = np.lexsort((readers, reads, key))
    key, of_reads, of_readers = (np.take_along_axis(one, order, axis=1) for one in (key, reads, readers))
    same = (key[:, 1:] == key[:, :-1]) & (key[:, 1:] != _UNUSED)
    differ = same & ((of_reads[:, 1:] != of_reads[:, :-1]) | (of_readers[:, 1:] != of_readers[:, :-1]))
    alike = np.zeros(reads.shape, dtype=np.bool_)
    row, place = np.nonzero(differ)
    alike[row, order[row, place]] = alike[row, order[row, place + 1]] = True
    return alike


def _told_apart(reads: Sets, colours: Hashes) -> Hashes:
    """Colours under which no vertices are alike any more: those of the least matrix that telling apart ends in."""
    children, parents = _children(reads, colours)
    if not len(parents):
        return colours
    of_child = reads[parents]
    # Children that lead to one matrix are images of each other: one of them is enough.
    leaves = _leaves(of_child, _first_way(of_child, children))
    _, kept = np.unique(np.concatenate([parents[:, None].astype(np.uint64), leaves], axis=1), axis=0, return_index=True)
    children, parents, of_child = children[kept], parents[kept], of_child[kept]
    final = _told_apart(of_child, children)
    leaves = _leaves(of_child, final)
    order = np.lexsort((*leaves.T[::-1], parents))
    first = order[np.flatnonzero(np.diff(parents[order], prepend=-1))]
    result = colours.copy()
    result[parents[first]] = final[first]
    return result


def _first_way(reads: Sets, colours: Hashes) -> Hashes:
    """Colours under which no vertices are alike, found by telling apart any one of those that are."""
    colours = colours.copy()
    waiting = np.arange(len(reads))
    while len(waiting):
        children, parents = _children(reads[waiting], colours[waiting], one=True)
        waiting = waiting[parents]
        colours[waiting] = children
    return colours


def _children(reads: Sets, colours: Hashes, *, one: bool = False) -> tuple[Hashes, Integers]:
    """Colours with one vertex told from those like it, and whose they are: for each of the first alike (``one``: one).

    Graphs in which no vertices are alike have none.
    """
    alike = _alike(reads, colours)
    least = np.where(alike, colours, _UNUSED).min(axis=1, keepdims=True)
    of_class = alike & (colours == least)
    if one:
        of_class &= np.cumsum(of_class, axis=1) == 1
    parents, vertices = np.nonzero(of_class)
    told = colours[parents]
    told[np.arange(len(parents)), vertices] = mix(told[np.arange(len(parents)), vertices])
    return _refined(reads[parents], told), parents


def _order(reads: Sets, colours: Hashes) -> Integers:
    key = np.where(members(used(reads), reads.shape[1] - 1), colours, _UNUSED)
    key[:, 0] = 0
    # Those that are still of one colour can change places.
    return np.argsort(np.argsort(key, axis=1, kind="stable"), axis=1)


def _leaves(reads: Sets, colours: Hashes) -> Sets:
    """The graphs with their vertices in the order of colours: equal for isomorphic graphs told apart alike."""
    return relabelled(reads, _order(reads, colours))
