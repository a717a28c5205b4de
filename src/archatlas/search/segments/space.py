"""The sub-space of a segment: what its positions can compute, behind each survivor of the segments before it.

A sub-architecture is written as a whole network, so that names, graphs, costs, evaluation and predictors are those of
the space: positions before the segment are a survivor's (one choice of the super-cell), positions behind it are the
rest. The rest is one network, the same for every sub-architecture; in a sample it may be drawn anew for each.

Where a segment ends within a run of positions between which identities move freely, the rest goes on with identities.
A segment's own choices then keep their places in the canonical form, and each of its networks has one name.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from archatlas.errors import ArchatlasError
from archatlas.spaces.protocol import Choices, ListedSpace, SearchSpace, Segmented, draw_at_most
from archatlas.spaces.restricted import Restricted

if TYPE_CHECKING:
    from archatlas.search.segments.parameters import SegmentsParameters

_ROUNDS = 40


@dataclass(frozen=True, eq=False)
class Segment(Restricted):
    """A restricted space whose networks are the sub-architectures of a segment, each with the same rest.

    Attributes:
        stop: the first position of the rest
        rest_drawn: whether ``sample`` draws the rest
    """

    stop: int
    rest_drawn: bool

    def sample(self, count: int, generator: np.random.Generator) -> Choices:
        """At most ``count`` distinct networks; sub-architectures are drawn uniformly.

        With a rest that is drawn (uniformly, from networks of the whole space), each sub-architecture comes up equally
        often, to within one. There are fewer than ``count`` networks where the segment has not as many, or where so
        many could not be found in a few rounds of drawing.
        """
        if not self.rest_drawn or self.stop == self.kept.shape[1]:
            return self.kept[generator.permutation(self.networks)[:count]]
        rows = self.kept[:0]
        for _ in range(_ROUNDS):
            fresh = self.kept[_equal_shares(self.networks, count, generator)]
            fresh[:, self.stop :] = self._tails(count, generator)
            rows = np.concatenate([rows, self.whole.canonicalise(fresh)])
            _, first = np.unique(rows, axis=0, return_index=True)
            rows = rows[np.sort(first)]
            if len(rows) >= count:
                break
        return rows[:count]

    def _tails(self, count: int, generator: np.random.Generator) -> Choices:
        networks = draw_at_most(self.whole, count, generator)
        return networks[generator.permutation(np.arange(count) % len(networks)), self.stop :]


def _equal_shares(choices: int, count: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """``count`` of the numbers below ``choices``, each equally often to within one, in random order."""
    rounds = [generator.permutation(choices) for _ in range(-(-count // choices))]
    return np.concatenate(rounds)[:count]


def segment_space(
    space: SearchSpace, prefixes: Choices, start: int, stop: int, parameters: SegmentsParameters
) -> ListedSpace:
    """The sub-space of positions ``start`` to ``stop`` behind each of the survivors ``prefixes``.

    Args:
        space: the whole space.
        prefixes: ``[s, positions]``, canonical; what they have before ``start`` is a choice of the super-cell, what the
            first has from ``stop`` on is the rest.
        start: the segment's first position.
        stop: the first position behind it.
        parameters: whether samples draw the rest, and how large a sub-space may be.

    Returns:
        a ``Segment``: ``networks`` is the number of distinct sub-architectures (twins across the
        segment's first position are one), ``size`` that of their spellings.

    Raises:
        ArchatlasError: the space is no chain of positions, or the segment has too many sub-architectures.
    """
    chain = _segmented(space)
    count = len(prefixes) * chain.segment_networks(start, stop)
    if count > parameters.max_networks:
        raise ArchatlasError(
            f"positions {start} to {stop - 1} of {space.name} make {count:,} sub-architectures behind {len(prefixes)} "
            f"survivors, but `segments.max_networks` is {parameters.max_networks:,}: move `segments.boundaries` so "
            "that segments are more alike, lower `segments.survivors`, or raise `segments.max_networks`"
        )
    forms = chain.segment_rows(start, stop)
    rest = _closed(chain, prefixes[0], stop)[stop:]
    spelled = np.concatenate(
        [
            np.repeat(prefixes[:, :start], len(forms), axis=0),
            np.tile(forms, (len(prefixes), 1)),
            np.broadcast_to(rest, (count, len(rest))),
        ],
        axis=1,
    )
    kept = _distinct(space.canonicalise(spelled), space.num_choices)
    size = len(prefixes) * int(np.prod(np.array(space.num_choices[start:stop], dtype=object)))
    drawn = parameters.rest == "drawn"
    return cast(ListedSpace, Segment(space, kept, size, stop, drawn))


def _distinct(rows: Choices, num_choices: Sequence[int]) -> Choices:
    """Each different row once, in lexicographic order: by their number in a mixed-radix system, where that is short."""
    if math.prod(num_choices) >= 2**63:
        return np.unique(rows, axis=0)
    numbers = np.zeros(len(rows), dtype=np.int64)
    for position, count in enumerate(num_choices):
        numbers = numbers * count + rows[:, position]
    return rows[np.unique(numbers, return_index=True)[1]]


def first_prefix(space: SearchSpace, generator: np.random.Generator) -> Choices:
    """What stands before the first segment, nothing, and behind it: one network drawn uniformly, ``[1, positions]``."""
    _segmented(space)
    return space.sample(1, generator)


def _closed(chain: Segmented, row: Choices, stop: int) -> Choices:
    """The row with identities from ``stop`` on for as long as a run goes on there that began before."""
    closed = row.copy()
    for position in range(stop, len(row)):
        identity = chain.continued_identity(position)
        if identity is None:
            break
        closed[position] = identity
    return closed


def segment_stops(space: SearchSpace, boundaries: Sequence[int] | None, segments: int) -> tuple[int, ...]:
    """The position behind each of the ``segments``, the last of which is the number of positions.

    Without ``boundaries`` they are the space's stages, where there are as many, or else of equal length to within one.

    Raises:
        ArchatlasError: a boundary lies behind the last position, or there are fewer positions than segments.
    """
    positions = len(space.num_choices)
    if boundaries is None:
        stages = _stage_ends(space)
        stops = stages if len(stages) == segments else [round(positions * n / segments) for n in range(1, segments + 1)]
    else:
        stops = [*boundaries, positions]
    if any(a >= b for a, b in pairwise([0, *stops])):
        raise ArchatlasError(
            f"`segments.boundaries`: {segments} segments of {space.name} must begin at ascending positions above 0 and "
            f"below {positions}, but begin at {[0, *stops[:-1]]}"
        )
    return tuple(stops)


def segment_networks(space: SearchSpace, parameters: SegmentsParameters, segments: int) -> int:
    """How many sub-architectures all segments have together, at most: twins across boundaries count twice."""
    chain = _segmented(space)
    stops = segment_stops(space, parameters.boundaries, segments)
    counts = [chain.segment_networks(start, stop) for start, stop in pairwise([0, *stops])]
    return counts[0] + parameters.survivors * sum(counts[1:])


def _stage_ends(space: Any) -> list[int]:
    positions = range(len(space.num_choices))
    if not hasattr(space, "stage_of"):
        return []
    return [n + 1 for n in positions if n + 1 == len(positions) or space.stage_of(n) != space.stage_of(n + 1)]


def _segmented(space: SearchSpace) -> Segmented:
    if not isinstance(space, Segmented):
        raise ArchatlasError(
            f"{space.name} is no chain of positions, so it has no segments: take `kedro run --pipelines search`, or a "
            "`space.preset` such as mobile, nas_bench_macro or digits"
        )
    return cast(Segmented, space)
