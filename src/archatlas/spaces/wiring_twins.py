"""Which freely wired graphs are one network, and the one that stands for all of them.

Graphs that differ in the order of their vertices alone compute the same. Vertices are coloured by their operation and,
over and over, by the colours of those that they read and of those that read them, apart (Weisfeiler and Lehman, 1968).
Where colours leave vertices alike, each of these is told from the others in turn and colours are refined, and the least
of the adjacency matrices that this ends in stands for the graph (McKay, Congressus Numerantium 30, 1981, whose pruning
by automorphisms is used, too). So equal canonical rows are isomorphic graphs whatever hashes do, and isomorphic graphs
have equal rows.

The row itself comes from placing the vertices: place by place, of the vertices with the place's operation that have
all they read before it the most urgent one, by how late it may come, then by the canonical order. A place is left empty
only if there is none, which no other placing does better; where the choice leads nowhere, others are tried.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

import numpy as np
from numpy.typing import NDArray

from archatlas.graphs.hashing import Hashes, mix
from archatlas.spaces.wiring import Sets, bit, members, prune, used

Integers = NDArray[np.int64]

_ROUNDS = 2
"""Sweeps up and down between two looks at the colours: what is still alike then is told apart in the other way."""

_MOST_TRIALS = 20_000
"""States of a placing that are tried before a graph keeps its own order, and so may count beside a twin."""

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
    placed = [_placed_exactly(part, kinds, _ranks(part, kinds)) for part in parts]
    return np.concatenate(placed) if placed else reads


def moved(reads: Sets, operations: NDArray[np.integer], generator: np.random.Generator) -> Sets:
    """A twin of each pruned graph at random, its vertices spread over the places; now and then the graph itself."""
    kinds = np.concatenate([[-1], operations]).astype(np.int64)
    ranks = np.argsort(generator.random(reads.shape), axis=1)
    places, whole = _place(reads, kinds, ranks, generator)
    return np.where(whole[:, None], _at(reads, places), reads)


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
    return _at(reads, _order(reads, colours))


def _at(reads: Sets, places: Integers) -> Sets:
    """The graphs ``[n, 1 + vertices]`` with each vertex at another place (which need not be after what it reads)."""
    vertices = reads.shape[1] - 1
    edges = members(reads, vertices)
    sets = np.where(edges, bit(places)[:, None, :], np.uint64(0)).sum(axis=2, dtype=np.uint64)
    result = np.zeros_like(reads)
    np.put_along_axis(result, places, sets, axis=1)
    return result


# -- Placing -----------------------------------------------------------------------------------------------------------


def _placed_exactly(reads: Sets, kinds: Integers, ranks: Integers) -> Sets:
    places, whole = _place(reads, kinds, ranks)
    for row in np.flatnonzero(~whole):
        places[row] = _tried(reads[row], kinds, ranks[row])
    return _at(reads, places)


def _place(
    reads: Sets, kinds: Integers, ranks: Integers, spread: np.random.Generator | None = None
) -> tuple[Integers, NDArray[np.bool_]]:
    """A place for each vertex, ``[n, 1 + vertices]``, and whether all used ones have one; unused ones get what is left.

    ``spread`` leaves places empty at random, as far as that is likely to go well.
    """
    vertices = reads.shape[1] - 1
    held = members(used(reads), vertices)
    urgency = (_latest(reads, kinds) * (vertices + 1) + ranks).astype(np.int64)
    none = np.iinfo(np.int64).max
    places = np.zeros(reads.shape, dtype=np.int64)
    waiting = held & (np.arange(vertices + 1) > 0)
    placed = np.full(len(reads), bit(0))
    empty = np.zeros((len(reads), vertices + 1), dtype=np.bool_)
    every = np.arange(len(reads))
    for place in range(1, vertices + 1):
        of_kind = kinds == kinds[place]
        ready = waiting & of_kind & ((reads & ~placed[:, None]) == 0)
        keys = np.where(ready, urgency, none)
        chosen = keys.argmin(axis=1)
        takes = keys[every, chosen] != none
        if spread is not None:
            left = (of_kind[place:]).sum()
            slack = left - (waiting & of_kind).sum(axis=1)
            takes &= spread.random(len(reads)) >= slack / left
        empty[:, place] = ~takes
        row = every[takes]
        places[row, chosen[takes]] = place
        waiting[row, chosen[takes]] = False
        placed[row] |= bit(chosen[takes])
    whole = ~waiting.any(axis=1)
    # Vertices without edges stand at the empty places, in order.
    free = ~held & whole[:, None]
    places[free] = np.nonzero(empty & whole[:, None])[1]
    return places, whole


def _latest(reads: Sets, kinds: Integers) -> Integers:
    """The last place at which each vertex leaves room for all that read it, ``[n, 1 + vertices]``."""
    vertices = reads.shape[1] - 1
    latest = np.full(reads.shape, vertices + 1, dtype=np.int64)
    last = np.zeros(vertices + 2, dtype=np.int64)
    before = {kind: last.copy() for kind in np.unique(kinds).tolist()}
    for kind, of_kind in before.items():
        for place in range(1, vertices + 2):
            of_kind[place] = place - 1 if kinds[place - 1] == kind else of_kind[place - 1]
    for vertex in reversed(range(vertices + 1)):
        latest[:, vertex] = before[int(kinds[vertex])][latest[:, vertex]]
        read = members(reads[:, vertex], vertices)
        latest = np.where(read, np.minimum(latest, latest[:, vertex : vertex + 1]), latest)
    return latest


class _Trial:
    """Placing of one graph by trial: in the order of urgency, one after the other, until all find a place."""

    def __init__(self, reads: Sets, kinds: Integers, ranks: Integers) -> None:
        self.reads = [int(one) for one in reads]
        self.kinds = kinds.tolist()
        self.places = {kind: np.flatnonzero(kinds == kind).tolist() for kind in set(self.kinds)}
        used = [vertex for vertex, read in enumerate(self.reads) if read]
        self.latest = self._latest(used)
        self.used = sorted(used, key=lambda vertex: (self.latest[vertex], ranks[vertex]))
        self.failed: set[tuple[int, int]] = set()

    def _latest(self, used: list[int]) -> dict[int, int]:
        """The last place of each vertex that leaves room for all that depend on it, as many as there are."""
        after: dict[int, int] = {}
        latest: dict[int, int] = {}
        for vertex in reversed(used):
            after[vertex] = 0
            for reader in used:
                if self.reads[reader] >> vertex & 1:
                    after[vertex] |= after[reader] | 1 << reader
            bound = len(self.kinds)
            for kind, places in self.places.items():
                due = sorted(latest[w] for w in used if after[vertex] >> w & 1 and self.kinds[w] == kind)
                for number, end in enumerate(due, start=1):
                    room = bisect_right(places, end) - number
                    bound = min(bound, places[room] if room >= 0 else 0)
            latest[vertex] = self._at_most(self.kinds[vertex], bound - 1)
        return latest

    def _at_most(self, kind: int, bound: int) -> int:
        number = bisect_right(self.places[kind], bound)
        return self.places[kind][number - 1] if number else 0

    def _hopeless(self, place: int, left: list[int]) -> bool:
        """Whether some of ``left`` (by urgency) are due before there are as many places."""
        for places in self.places.values():
            kind, first = self.kinds[places[0]], bisect_left(places, place)
            due = (self.latest[vertex] for vertex in left if self.kinds[vertex] == kind)
            if any(bisect_right(places, end) - first < number for number, end in enumerate(due, start=1)):
                return True
        return False

    def place(self, place: int = 1, placed: int = 1) -> dict[int, int] | None:
        """Places of the vertices that are not in the set ``placed``, from ``place`` on; None if there are none."""
        left = [vertex for vertex in self.used if not placed >> vertex & 1]
        if not left:
            return {}
        if (place, placed) in self.failed or len(self.failed) > _MOST_TRIALS or self._hopeless(place, left):
            return None
        ready = [v for v in left if self.kinds[v] == self.kinds[place] and not self.reads[v] & ~placed]
        for vertex in ready:
            rest = self.place(place + 1, placed | 1 << vertex)
            if rest is not None:
                return {vertex: place} | rest
        if not ready:
            return self.place(place + 1, placed)
        self.failed.add((place, placed))
        return None


def _tried(reads: Sets, kinds: Integers, ranks: Integers) -> Integers:
    """A place for each vertex of one graph; after too many trials, its own."""
    found = _Trial(reads, kinds, ranks).place()
    places = np.arange(len(reads))
    if found is not None:
        unused = [vertex for vertex in places[1:].tolist() if vertex not in found]
        empty = sorted(set(places[1:].tolist()) - set(found.values()))
        for vertex, place in [*found.items(), *zip(unused, empty, strict=True)]:
            places[vertex] = place
    return places
