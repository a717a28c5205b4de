"""NASGEM: search by a predictor on graph embeddings, in a few rounds (Cheng et al., AAAI 2021, arXiv 2007.04452).

Published: an encoder that follows the Weisfeiler-Lehman kernel, a predictor of an efficiency score on its vectors, and
*bootstrap optimisation*: a large set of graphs is scored by it and the best are taken, so that all that is taken can be
built. Reconstruction: how many networks are scored up front, in how many rounds the rest, and what the large set is:
half drawn, half mutants of the best so far [ours; the paper's authors had meta-graph samples at hand]. The efficiency
score ``accuracy - 0.1 (log10 MACs - 6)`` is that of their AutoShrink; bounds are kept whatever its weight.

With another family as ``predictor`` and many small rounds this is Bayesian optimisation over a pool.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field, PositiveInt

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.predictors.benchmark.acquisition import Policy, Rule, acquisition, by_ranks
from archatlas.predictors.make import make_predictor
from archatlas.predictors.protocol import Evaluations
from archatlas.predictors.registry import predictor_settings
from archatlas.spaces.protocol import Choices, counts_quickly
from archatlas.systems.account import Account
from archatlas.systems.ledger import Ledger
from archatlas.systems.nasgem.pools import apart_from, neighbours, stratified
from archatlas.systems.problem import Problem

if TYPE_CHECKING:
    from archatlas.systems.evaluators import Evaluator

Floats = NDArray[np.float64]
Places = NDArray[np.int64]

_UNLIMITED = 200
"""Networks that are taken to be affordable where the ledger limits something else; rounds then go on."""
ENCODER_SEED = 0
"""Of predictors, and of the encoder among them."""
_FEWEST_LEARNED, _MOST_IDLE = 8, 5
"""Networks with scores, and rounds in a row without a new network."""
_LOGGER = logging.getLogger(__name__)
_BUILT = 400
"""Networks of a pool where each must be built to be counted."""


@dataclass(frozen=True)
class Nasgem:
    """A share of the networks ``up_front``, then as many in each of ``rounds``.

    Attributes:
        up_front: share of the affordable networks that is scored before anything is learned; 8 at least.
        rounds: of learning, predicting the pool, and scoring what the rule ranks first.
        pool: networks that are predicted in a round.
        near: share of the pool that are mutants of the best ``parents`` so far; the others are drawn.
        strata: whether the first networks have even numbers of nodes, or come as the space's sampler draws.
        efficiency: weight of log10 MACs in what is learned and chosen by; what counts in the end is the score.
        predictor: a family of ``predictors/registry.py``; with ``settings`` that are not its defaults.
        rule: how predictions become a choice (``predictors/benchmark/acquisition.py``), with ``weight``.
    """

    up_front: Annotated[float, Field(gt=0, le=1)] = 0.5
    rounds: PositiveInt = 3
    pool: PositiveInt = 10_000
    near: Annotated[float, Field(ge=0, le=1)] = 0.5
    parents: PositiveInt = 20
    strata: bool = True
    efficiency: float = 0.0
    predictor: str = "nasgem"
    settings: Mapping[str, Any] = field(default_factory=dict)
    rule: Rule = "greedy"
    weight: float = 1.0

    def __post_init__(self) -> None:
        predictor_settings(self.predictor, self.settings, "settings")

    def search(
        self, problem: Problem, evaluator: Evaluator, ledger: Ledger, generator: np.random.Generator
    ) -> pd.DataFrame:
        """All that was scored until the ledger closed, or nothing new was found any more (``problem.Method``)."""
        account = Account(problem, evaluator, ledger)
        affordable = ledger.limit.evaluations or _UNLIMITED
        # As many as a predictor can be fitted to, or the first round would choose at random.
        first = max(round(self.up_front * affordable), min(_FEWEST_LEARNED, affordable))
        if first >= affordable:
            _LOGGER.warning(
                "NASGEM scores all %d networks that it may before it learns anything, and so searches at random: raise "
                "`methods.evaluations` above %d, or lower `up_front`", affordable, _FEWEST_LEARNED,
            )  # fmt: skip
        each = max(-(-(affordable - first) // self.rounds), 1)
        drawn = stratified(problem, first, generator) if self.strata else problem.draw(first, generator)
        known = _Known(drawn, self._wanted(problem, drawn, account))
        idle = 0
        while not account.closed and ledger.left("evaluations") and idle < _MOST_IDLE:
            pool = self._pool(problem, known, generator)
            order = self._order(problem, known, pool, generator)
            chosen = pool[order[: int(min(each, ledger.left("evaluations")))]]
            known = known.with_more(chosen, self._wanted(problem, chosen, account))
            idle = 0 if len(chosen) else idle + 1
        return account.visited()

    def _wanted(self, problem: Problem, choices: Choices, account: Account) -> Floats:
        """Efficiency scores, ``[n]``."""
        scores = account.scores(choices)
        if not self.efficiency or not len(choices):
            return scores
        macs = problem.costs(choices)["macs"].to_numpy(dtype=np.float64)
        return np.asarray(scores - self.efficiency * (np.log10(np.maximum(macs, 1.0)) - 6), dtype=np.float64)

    def _pool(self, problem: Problem, known: _Known, generator: np.random.Generator) -> Choices:
        """Networks that have not been asked for."""
        size = self.pool if counts_quickly(problem.space) else min(self.pool, _BUILT)
        near, best = round(self.near * size), known.best(self.parents)
        parts = [problem.draw(max(size - near, 1), generator)]
        if near and len(best):
            parts.append(neighbours(problem, best, near, generator))
        return apart_from(np.concatenate(parts), known.choices)

    def _order(self, problem: Problem, known: _Known, pool: Choices, generator: np.random.Generator) -> Places:
        """Places in the pool, the most promising first; at random as long as there is too little to learn from."""
        order = generator.permutation(len(pool))
        choices, scores = known.scored
        if len(scores) < _FEWEST_LEARNED or not np.ptp(scores):
            what = f"{len(scores)} networks have scores" if len(scores) < _FEWEST_LEARNED else "all scores are equal"
            _LOGGER.warning(
                "NASGEM could learn nothing in a round, and chose at random: %s, and a predictor is fitted to %d or "
                "more that differ", what, _FEWEST_LEARNED,
            )  # fmt: skip
            return order
        if not len(pool):
            return order
        learned = by_ranks(Evaluations(scores, np.zeros(len(scores)), np.full(len(scores), "search")))
        # One seed for all searches: what an encoder learns from graphs alone it then learns but once.
        predictor = make_predictor(self.predictor, self.settings, seed=ENCODER_SEED)
        predictor.fit(_batch(problem, choices), learned)
        prediction = predictor.predict(_batch(problem, pool))
        value = acquisition(prediction, float(learned.score.max()), Policy(self.rule, self.weight), generator)
        return order[np.argsort(-value[order], kind="stable")]


@dataclass(frozen=True)
class _Known:
    """What was asked for: canonical rows, and their efficiency scores, NaN where there is none."""

    choices: Choices
    scores: Floats

    def with_more(self, choices: Choices, scores: Floats) -> _Known:
        return _Known(np.concatenate([self.choices, choices]), np.concatenate([self.scores, scores]))

    @property
    def scored(self) -> tuple[Choices, Floats]:
        there = np.isfinite(self.scores)
        return self.choices[there], self.scores[there]

    def best(self, count: int) -> Choices:
        choices, scores = self.scored
        return choices[np.argsort(-scores, kind="stable")[:count]]


def _batch(problem: Problem, choices: Choices) -> ArchitectureBatch:
    return ArchitectureBatch(problem.space, choices, cost_table=problem.cost_table, canonical=True)
