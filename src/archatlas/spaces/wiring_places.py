"""Where the vertices of a freely wired graph stand in its row, given an order in which they would like to.

A place takes only vertices of its own operation. Place by place, it gets the most urgent of those that have all they
read before it, by how late it may come and then by the order given. A place is left empty only if there is none, since
whatever comes later could as well stand there. Where the choice leads nowhere, others are tried.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

import numpy as np
from numpy.typing import NDArray

from archatlas.spaces.wiring import Sets, bit, members, used

Integers = NDArray[np.int64]

_MOST_TRIALS = 20_000
"""States of a placing that are tried before a graph keeps its own order, and so may count beside a twin."""


def moved(reads: Sets, operations: NDArray[np.integer], generator: np.random.Generator) -> Sets:
    """A twin of each pruned graph at random, its vertices spread over the places; now and then the graph itself."""
    kinds = np.concatenate([[-1], operations]).astype(np.int64)
    ranks = np.argsort(generator.random(reads.shape), axis=1)
    places, whole = _place(reads, kinds, ranks, generator)
    return np.where(whole[:, None], relabelled(reads, places), reads)


def relabelled(reads: Sets, places: Integers) -> Sets:
    """The graphs ``[n, 1 + vertices]`` with each vertex at another place (which need not be after what it reads)."""
    vertices = reads.shape[1] - 1
    edges = members(reads, vertices)
    sets = np.where(edges, bit(places)[:, None, :], np.uint64(0)).sum(axis=2, dtype=np.uint64)
    result = np.zeros_like(reads)
    np.put_along_axis(result, places, sets, axis=1)
    return result


def placed_by(reads: Sets, kinds: Integers, ranks: Integers) -> Sets:
    """The graphs with their vertices as far to the front as they can stand, whatever places they had before.

    Args:
        reads: pruned, ``[n, 1 + vertices]``
        kinds: operations of the places, ``[1 + vertices]``, the source's one of its own
        ranks: the order of the vertices, ``[n, 1 + vertices]``
    """
    places, whole = _place(reads, kinds, ranks)
    for row in np.flatnonzero(~whole):
        places[row] = _tried(reads[row], kinds, ranks[row])
    return relabelled(reads, places)


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
    whole: NDArray[np.bool_] = np.logical_not(waiting.any(axis=1))
    # Vertices without edges stand at the empty places, in order.
    free = ~held & whole[:, None]
    places[free] = np.nonzero(empty & whole[:, None])[1]
    return places, whole


def _latest(reads: Sets, kinds: Integers) -> Integers:
    """The last place at which each vertex leaves room for all that read it, ``[n, 1 + vertices]``."""
    vertices = reads.shape[1] - 1
    latest = np.full(reads.shape, vertices + 1, dtype=np.int64)
    every = np.arange(vertices + 2)
    # Before each place, the last one of a kind.
    before = {
        kind: np.maximum.accumulate(np.where(np.append(-1, kinds) == kind, every - 1, 0))
        for kind in np.unique(kinds).tolist()
    }
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
