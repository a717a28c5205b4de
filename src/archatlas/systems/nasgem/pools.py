"""Networks that a predictor is asked about: some drawn, some near the best that are known."""

from __future__ import annotations

import numpy as np

from archatlas.encodings.distinct_rows import distinct_rows
from archatlas.spaces.protocol import Choices, counts_quickly
from archatlas.systems.problem import Problem

_DRAWN_FOR_EACH, _BUILT_FOR_EACH = 10, 2
"""Draws of which one is taken: where bounds are checked by arithmetic, and where each draw must be built for that."""
_MUTATIONS = 20


def stratified(problem: Problem, count: int, generator: np.random.Generator) -> Choices:
    """``count`` networks within the bounds, with as even numbers of nodes as some times as many draws allow.

    Where a sampler draws nearly all networks of one size, small and large ones are learned from all the same.
    """
    quick = counts_quickly(problem.space) or not problem.constraints
    drawn = problem.draw((_DRAWN_FOR_EACH if quick else _BUILT_FOR_EACH) * count, generator)
    nodes = problem.space.graphs(drawn, canonical=True).mask.sum(axis=1)
    turn = np.zeros(len(drawn), dtype=np.int64)
    for number in np.unique(nodes):
        of_size = np.flatnonzero(nodes == number)
        turn[of_size] = np.arange(len(of_size))
    return drawn[np.lexsort((generator.random(len(drawn)), turn))[:count]]


def neighbours(problem: Problem, parents: Choices, count: int, generator: np.random.Generator) -> Choices:
    """At most ``count`` networks within the bounds that are mutants of ``parents`` (canonical rows), all different."""
    space = problem.space
    found = np.zeros((0, parents.shape[1]), dtype=np.int8)
    for _ in range(_MUTATIONS):
        mutants = space.canonicalise(space.mutate(np.repeat(parents, -(-count // len(parents)), axis=0), generator))
        fresh = apart_from(mutants, np.concatenate([parents, found]))
        found = np.concatenate([found, fresh[problem.keeps(fresh)]])
        if len(found) >= count:
            break
    return found[generator.permutation(len(found))[:count]]


def apart_from(choices: Choices, known: Choices) -> Choices:
    """The different rows of ``choices`` that are none of ``known``, in their order."""
    first = distinct_rows(np.concatenate([known, choices]))[0]
    return choices[first[first >= len(known)] - len(known)]
