"""Mutation, crossover and neighbours of freely wired cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from archatlas.spaces import wiring
from archatlas.spaces.protocol import Choices
from archatlas.spaces.wiring_places import moved

if TYPE_CHECKING:
    from archatlas.spaces.wired_cells import WiredCells

_MOST_TRIALS = 8
"""How often a mutation is drawn again that gives no architecture, or the same one."""

_MENDED = 0.5
"""Of vertices that would be lost with all that read them, how many are kept: networks neither grow nor shrink then."""


def mutate(
    space: WiredCells, choices: Choices, generator: np.random.Generator, probability: float | None = None
) -> Choices:
    """See ``WiredCells.mutate``; what leaves the space or stays is drawn again, and after some times stays."""
    rows = np.array(choices, dtype=np.int8)
    waiting = np.arange(len(rows))
    for _ in range(_MOST_TRIALS):
        cells = zip(space.reads(choices[waiting]), space.cells, strict=True)
        spread = space.rows([moved(reads, cell.kinds, generator) for reads, cell in cells])
        drawn = _redrawn(space, spread, generator, probability)
        good = space.valid(drawn)
        good[good] = (drawn[good] != spread[good]).any(axis=1)
        rows[waiting[good]] = drawn[good]
        waiting = waiting[~good]
        if not len(waiting):
            break
    return rows


def _redrawn(space: WiredCells, rows: Choices, generator: np.random.Generator, probability: float | None) -> Choices:
    """Pruned rows with some edges gone, and others in their stead, from the input or a vertex that is used."""
    there = rows > 0
    edges = there.sum(axis=1, keepdims=True)
    offered = ~there & _from_used(space, rows)
    goes = np.full(edges.shape, probability) if probability is not None else 1 / np.maximum(edges, 1)
    comes = goes * edges / np.maximum(offered.sum(axis=1, keepdims=True), 1)
    draws = generator.random(rows.shape)
    drawn = np.where(there, draws >= goes, offered & (draws < comes)).astype(np.int8)
    parts = zip(space.reads(rows), np.split(drawn, len(space.cells), axis=1), strict=True)
    return space.rows([_mended(before, wiring.reads_of(part, space.vertices), generator) for before, part in parts])


def _mended(before: wiring.Sets, reads: wiring.Sets, generator: np.random.Generator) -> wiring.Sets:
    """Pruned; every other vertex that is still read but has lost all that it read, reads another one in its place."""
    vertices, mended = reads.shape[1] - 1, reads.copy()
    read = np.bitwise_or.reduce(reads, axis=1)
    reached = np.full(len(reads), wiring.bit(0))
    for vertex in range(1, vertices + 1):
        lost = (
            (generator.random(len(reads)) < _MENDED)
            & (before[:, vertex] != 0)
            & ((read & wiring.bit(vertex)) != 0)
            & ((mended[:, vertex] & reached) == 0)
        )
        keys = generator.random((len(reads), vertices + 1)) * wiring.members(reached, vertices)
        mended[:, vertex] |= np.where(lost, wiring.bit(keys.argmax(axis=1)), np.uint64(0))
        reached |= np.where((mended[:, vertex] & reached) != 0, wiring.bit(vertex), np.uint64(0))
    return wiring.prune(mended)


def _from_used(space: WiredCells, rows: Choices) -> NDArray[np.bool_]:
    """Which edges of the complete DAG come from the input or a used vertex, bool ``[n, positions]``."""
    sources = np.array(wiring.pairs(space.vertices))[:, 0]
    return np.concatenate(
        [wiring.members(wiring.used(reads), space.vertices)[:, sources] for reads in space.reads(rows)], axis=1
    )


def crossover(
    space: WiredCells, first: Choices, second: Choices, generator: np.random.Generator
) -> tuple[Choices, Choices]:
    """See ``WiredCells.crossover``."""
    _, targets = np.array(wiring.pairs(space.vertices)).T
    swapped = generator.random((len(first), len(space.cells), space.vertices + 1)) < 0.5
    by_edge = swapped[:, :, targets].reshape(first.shape)
    children = np.where(by_edge, second, first), np.where(by_edge, first, second)
    one, other = (
        np.where(space.valid(child)[:, None], child, parent)
        for child, parent in zip(children, (first, second), strict=True)
    )
    return one, other


def neighbours(space: WiredCells, choices: ArrayLike) -> Choices:
    """See ``WiredCells.neighbours``."""
    row = space.canonicalise(space.validate(np.atleast_2d(np.asarray(choices))))
    changed = np.flatnonzero((row > 0) | _from_used(space, row))
    rows = np.tile(row, (len(changed), 1))
    rows[np.arange(len(changed)), changed] ^= 1
    found: Choices = np.unique(space.canonicalise(rows[space.valid(rows)]), axis=0)
    others: Choices = found[(found != row).any(axis=1)]
    return others
