"""GRAM, the search of SwiftNet (Cheng et al. 2019, arXiv 1906.08305): operation by operation, by a weighted meta-graph.

Published: the complete graph over a cell's vertices as the space, the weighted meta-graph, pruning by it. From a
secondary source: how networks are drawn and weights updated, and the winner out of the best five. Ours: scaled odds, a
minimum of used vertices, the mean of all scores as baseline, steps by their standard deviation, bounds of a budget, and
that a network which was scored before is drawn again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from archatlas.errors import ArchatlasError
from archatlas.spaces.protocol import Choices, SearchSpace
from archatlas.systems.account import Account
from archatlas.systems.gram.complete_graph import CompleteGraph, Drawn, complete_graph_of
from archatlas.systems.gram.meta_graph import Baseline, Drawing, Floats, Learning, TooFewError
from archatlas.systems.ledger import Ledger
from archatlas.systems.problem import Problem

if TYPE_CHECKING:
    from archatlas.systems.evaluators import Evaluator

DRAWN = "drawn"
"""A column beside ``account.VISITED``: the edges that were drawn, packed to bits, as hexadecimal digits."""

_BATCH, _MOST_BATCH, _MOST_DRAWS = 4, 1024, 50_000
_TOP = 5


@dataclass(frozen=True)
class Gram:
    """Draws ``at_once`` networks of the meta-graph, scores them, and goes on with the weights that this leaves.

    ``baseline``, ``alpha``, ``per_deviation``, ``first_weight``, ``lowest`` and ``highest`` are the update's
    (``meta_graph.Learning``), ``edge_scale`` and ``min_used`` (None: as the space asks) the drawing's. With
    ``patience`` a search ends after so many networks in a row of which none came among the best five; it always ends
    where hardly anything new is drawn any more. ``frozen`` leaves the weights as they are: the control.
    """

    baseline: Baseline = "mean"
    alpha: NonNegativeFloat = 0.5
    per_deviation: bool = True
    edge_scale: PositiveFloat = 1.5
    min_used: PositiveInt | None = None
    first_weight: PositiveFloat = 1.0
    lowest: NonNegativeFloat = 0.0
    highest: PositiveFloat = 5.0
    at_once: PositiveInt = 1
    patience: PositiveInt | None = None
    frozen: bool = False

    def __post_init__(self) -> None:
        _ = self.learning

    @property
    def learning(self) -> Learning:
        """The update."""
        alpha = 0.0 if self.frozen else self.alpha
        return Learning(self.baseline, alpha, self.per_deviation, self.first_weight, self.lowest, self.highest)

    def drawing(self, graph: CompleteGraph) -> Drawing:
        """The drawing; ArchatlasError for more used vertices than a cell can have."""
        fewest = graph.fewest if self.min_used is None else self.min_used
        if fewest > graph.most:
            raise ArchatlasError(
                f"`min_used` of GRAM is {fewest}, but a cell uses {graph.most} vertices at most: lower it "
                "(`methods.settings.gram.min_used`)"
            )
        return Drawing(graph.edges, self.edge_scale, max(fewest, graph.fewest))

    def unfit(self, space: SearchSpace) -> str | None:
        """Why the method cannot search a space; None where it can."""
        if complete_graph_of(space) is None:
            return f"{space.name} chooses operations on fixed wirings, and there is no edge to weigh"
        return None

    def search(
        self, problem: Problem, evaluator: Evaluator, ledger: Ledger, generator: np.random.Generator
    ) -> pd.DataFrame:
        """All that was scored until the ledger closed, or the search had ended, and ``DRAWN`` beside it."""
        graph = complete_graph_of(problem.space)
        if graph is None:
            raise ArchatlasError(f"GRAM cannot search: {self.unfit(problem.space)}")
        account, learning = Account(problem, evaluator, ledger), self.learning
        draws = _Draws(problem, graph, self.drawing(graph), generator)
        weights, scores, edges = learning.begin(len(graph.edges)), list[float](), list[Drawn]()
        while not account.closed and not self._over(scores):
            choices, drawn = draws.fresh(weights, self.at_once)
            if not len(choices):
                break
            before = len(account)
            found = account.scores(choices)
            edges += list(drawn[: len(account) - before])
            for one, score in zip(drawn, found, strict=True):
                if np.isfinite(score):
                    scores.append(float(score))
                    weights = learning.step(weights, one, scores)
        return account.visited().assign(**{DRAWN: pd.Series([_packed(one) for one in edges], dtype="str")})

    def _over(self, scores: list[float]) -> bool:
        """Whether none of the last ``patience`` networks came among the best five."""
        if self.patience is None or len(scores) < self.patience + _TOP:
            return False
        fifth = sorted(scores[: -self.patience])[-_TOP]
        return max(scores[-self.patience :]) <= fifth


class _Draws:
    """Networks of a meta-graph that keep all bounds, each once."""

    def __init__(
        self, problem: Problem, graph: CompleteGraph, drawing: Drawing, generator: np.random.Generator
    ) -> None:
        self._problem, self._graph, self._drawing, self._generator = problem, graph, drawing, generator
        self._known: set[bytes] = set()

    def fresh(self, weights: Floats, count: int) -> tuple[Choices, Drawn]:
        """Canonical rows and their drawn edges: ``count``, or fewer where hardly anything new comes.

        Raises:
            ArchatlasError: not one network that was ever drawn keeps all bounds.
        """
        rows: list[NDArray[np.int8]] = []
        edges: list[NDArray[np.bool_]] = []
        batch, tried = _BATCH, 0
        while len(rows) < count and tried < _MOST_DRAWS:
            try:
                wired = self._graph.wire(self._drawing.draw(weights, batch, self._generator))
            except TooFewError:
                if not self._known:
                    raise
                break  # Converged, to cells that are too small.
            canonical = self._problem.space.canonicalise(wired.choices)
            kept = (wired.used >= self._drawing.fewest) & self._problem.keeps(canonical)
            for row, drawn in zip(canonical[kept], wired.drawn[kept], strict=True):
                if len(rows) < count and row.tobytes() not in self._known:
                    self._known.add(row.tobytes())
                    rows.append(row)
                    edges.append(drawn)
            tried, batch = tried + batch, min(2 * batch, _MOST_BATCH)
        if not rows and not self._known:
            bounds = ", ".join(map(str, self._problem.constraints)) or "none"
            raise ArchatlasError(
                f"none of {tried:,} networks that GRAM drew from its meta-graph of {self._problem.space.name} uses "
                f"{self._drawing.fewest} vertices in each cell and keeps all bounds ({bounds}): relax one, or lower "
                "`methods.settings.gram.min_used` or `edge_scale`"
            )
        positions, places = len(self._problem.space.num_choices), len(self._graph.edges)
        return (
            np.array(rows, dtype=np.int8).reshape(len(rows), positions),
            np.array(edges, dtype=np.bool_).reshape(len(rows), places),
        )


def _packed(drawn: Drawn) -> str:
    return np.packbits(drawn).tobytes().hex()


def unpacked(texts: Any, edges: int) -> Drawn:
    """Inverse of what the column ``DRAWN`` holds: bool ``[n, edges]``."""
    packed = np.array([np.frombuffer(bytes.fromhex(text), dtype=np.uint8) for text in texts], dtype=np.uint8)
    return np.unpackbits(packed.reshape(len(packed), -(-edges // 8)), axis=1, count=edges).astype(np.bool_)
