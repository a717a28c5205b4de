"""The meta-graph of GRAM (Cheng et al. 2019, arXiv 1906.08305): a weight for each edge of complete graphs.

Networks are drawn from it vertex by vertex, and what they score goes into the weights of their edges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from archatlas.errors import ArchatlasError
from archatlas.systems.gram.complete_graph import Drawn, Edge

Floats = NDArray[np.float64]
Baseline = Literal["mean", "top5"]

_TOP, _ROUNDS, _AT_ONCE = 5, 200, 8
_LARGEST_STEP = 500.0
"""Of a weight's logarithm: it leads to either bound, and is far from what overflows."""


class TooFewError(ArchatlasError):
    """Cells with as many used vertices as asked for hardly ever come."""


@dataclass(frozen=True)
class Drawing:
    """How networks are drawn: the graphs' edges, by how much odds are scaled, and vertices that are visited at least.

    From the source on each visited vertex, in order, offers its out-edges with ``p = softmax(weights)``; each is kept
    with probability p by itself, and its target is visited then [secondary source]. As p adds up to one, 36% of
    the draws from equal weights are empty; so ``p`` is scaled, and cells that use too little are drawn again
    [our reconstruction: released cells use 11 to 13 of 30 vertices]. What a cell uses is visited; where vertices must
    lead to an output not all that is visited is used.
    """

    edges: tuple[Edge, ...]
    scale: float
    fewest: int

    @cached_property
    def _layout(self) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
        cells, sources, targets = np.array(self.edges, dtype=np.intp).T
        return cells, sources, targets

    def draw(self, weights: Floats, count: int, generator: np.random.Generator) -> Drawn:
        """``count`` draws, bool ``[count, edges]``; cells follow one another.

        Raises:
            TooFewError: cells with so many visited vertices hardly ever come; weights can have gone so far apart.
        """
        cells = self._layout[0]
        odds = self.scale * self.shares(weights)
        found = np.zeros((count, len(self.edges)), dtype=np.bool_)
        for cell in range(int(cells.max()) + 1):
            own = np.flatnonzero(cells == cell)
            found[:, own] = self._cell(odds[own], own, count, generator)
        return found

    def shares(self, weights: Floats) -> Floats:
        """The softmax over the out-edges of each vertex, ``[edges]``."""
        cells, sources, targets = self._layout
        matrix = np.full((int(cells.max()) + 1, int(targets.max()), int(targets.max()) + 1), -np.inf)
        matrix[cells, sources, targets] = weights
        raised = np.exp(matrix - matrix.max(axis=2, keepdims=True))
        shares: Floats = (raised / raised.sum(axis=2, keepdims=True))[cells, sources, targets]
        return shares

    def _cell(self, odds: Floats, own: NDArray[np.intp], count: int, generator: np.random.Generator) -> Drawn:
        _, sources, targets = self._layout
        parts: list[Drawn] = []
        for _ in range(_ROUNDS):
            drawn, visited = draw_cell(odds, sources[own], targets[own], _AT_ONCE * count, generator)
            parts.append(drawn[visited >= max(self.fewest, 1)])
            if sum(map(len, parts)) >= count:
                return np.concatenate(parts)[:count]
        raise TooFewError(
            f"GRAM drew {_ROUNDS * _AT_ONCE * count:,} times from its meta-graph and hardly ever got a cell that uses "
            f"{self.fewest} vertices: lower `min_used` or raise `edge_scale` (`methods.settings.gram`)"
        )


def draw_cell(
    odds: Floats,
    sources: NDArray[np.intp],
    targets: NDArray[np.intp],
    count: int,
    generator: np.random.Generator,
) -> tuple[Drawn, NDArray[np.int64]]:
    """Draws of one cell, ``[count, its edges]``, and how many vertices each visits, ``[count]``.

    Empty ones and small ones as they come; ``odds`` are those by which an edge of a visited vertex is kept.
    """
    visited = np.zeros((count, int(targets.max()) + 1), dtype=np.bool_)
    visited[:, 0] = True
    drawn = generator.random((count, len(odds))) < odds
    for vertex in range(visited.shape[1] - 1):
        out = np.flatnonzero(sources == vertex)
        drawn[:, out] &= visited[:, vertex, None]
        visited[:, targets[out]] |= drawn[:, out]
    return drawn, visited[:, 1:].sum(axis=1)


@dataclass(frozen=True)
class Learning:
    """How scores change weights: ``w <- w exp(alpha (score - baseline))`` of every edge of a network that was scored.

    One score is for all cells. Published is the mean of the best five so far as baseline; alpha and the first weights
    are said nowhere. The mean of all so far as baseline, and alpha by the standard deviation of all so far, are ours:
    with the best five nearly every update punishes.

    Attributes:
        baseline: top5 (as published) or mean
        alpha: size of a step
        per_deviation: whether steps are by the standard deviation of the scores so far
        first: weight of every edge before anything is scored
        lowest: weights go no lower
        highest: and no higher
    """

    baseline: Baseline
    alpha: float
    per_deviation: bool
    first: float
    lowest: float
    highest: float

    def __post_init__(self) -> None:
        if not (0 <= self.lowest <= self.first <= self.highest < np.inf and self.lowest < self.highest):
            raise ArchatlasError(
                "`lowest`, `first_weight` and `highest` of GRAM's meta-graph must rise from 0 on, and `highest` be "
                "above `lowest`, or no weight could change, but got "
                f"{self.lowest:g}, {self.first:g} and {self.highest:g}"
            )
        if self.first == 0:
            raise ArchatlasError(
                "`first_weight` of GRAM must be above 0, but is 0: scores multiply weights, so that they would stay 0"
            )
        if not (np.isfinite(self.alpha) and self.alpha >= 0):
            raise ArchatlasError(f"`alpha` of GRAM must be at least 0, but is {self.alpha}")

    def begin(self, edges: int) -> Floats:
        """The first weights."""
        return np.full(edges, self.first)

    def step(self, weights: Floats, drawn: Drawn, scores: Sequence[float]) -> Floats:
        """The weights after one more network: its edges ``[edges]``, and all scores so far, its own last."""
        known = np.asarray(scores, dtype=np.float64)
        beta = known.mean() if self.baseline == "mean" else np.sort(known)[-_TOP:].mean()
        ahead = float(known[-1] - beta)
        if self.per_deviation:
            spread = float(known.std())
            ahead = ahead / spread if spread > 0 else 0.0
        factor = np.exp(np.clip(self.alpha * ahead, -_LARGEST_STEP, _LARGEST_STEP))
        changed: Floats = np.where(drawn, weights * factor, weights)
        return np.clip(changed, self.lowest, self.highest)
