"""Choosing which architectures to evaluate next, with any predictor that says how sure it is.

Some architectures drawn uniformly are evaluated; then, batch by batch, a predictor is fitted to all that was observed,
and those are evaluated that a rule ranks first (Bayesian optimisation: Shahriari et al., Proceedings of the IEEE
104(1), 2016)::

    policy = Policy(rule="expected_improvement", first=20, batch=5)
    for rows in acquire(batch, lambda rows: accuracies[rows], make_gp, policy, seed=0):
        ...                                # numbers of the rows that were evaluated in this round; break when satisfied
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.predictors.protocol import Evaluations, Prediction, Predictor
from archatlas.predictors.targets import TargetTransform

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

Rule = Literal["greedy", "upper_confidence", "expected_improvement", "thompson"]

Observe = Callable[[Rows], Evaluations]
"""Evaluates architectures: their numbers in the batch to scores, higher is better."""


@dataclass(frozen=True)
class Policy:
    """How to choose.

    Attributes:
        rule: greedy: the highest mean; upper_confidence: ``mean + weight * std`` (Srinivas et al., ICML 2010);
            expected_improvement over the best observed score (Jones et al., 1998); thompson: the highest of one draw
            from ``N(mean, (weight * std)^2)`` per network and batch (independent, since predictors give no covariance)
        weight: of the standard deviation
        first: architectures drawn uniformly, without two of one network, before the first fit
        batch: architectures per round, no two of one network
        scale: what the predictor learns and the rule works on: the scores, or the normal quantiles of their ranks. By
            ranks a standard deviation means the same at the top, where accuracies lie densely, as in the lower tail
    """

    rule: Rule = "upper_confidence"
    weight: float = 1.0
    first: int = 20
    batch: int = 5
    scale: Literal["scores", "ranks"] = "ranks"


def acquire(
    candidates: ArchitectureBatch, observe: Observe, make: Callable[[], Predictor], policy: Policy, seed: int
) -> Iterator[Rows]:
    """Rounds of evaluations ``[k]``, rows of ``candidates``, until none is left; never one twice.

    The predictor is made anew and fitted to all observations in every round, and predicts distinct networks once.
    Several rows may be one network (other spellings of it, trained on their own): the others then stay candidates, and
    in every round the rows of a network have one chance between them.
    """
    generator = np.random.default_rng([seed, 40])
    _, first, network = np.unique(candidates.choices, axis=0, return_index=True, return_inverse=True)
    networks, network = candidates[first], network.reshape(-1)
    free = np.ones(len(candidates), dtype=np.bool_)
    taken: list[Rows] = []
    seen: list[Evaluations] = []
    value = np.zeros(len(networks))
    count = policy.first
    while free.any():
        rows = best_rows(value[network], network, free, count, generator)
        free[rows] = False
        taken.append(rows)
        seen.append(observe(rows))
        yield rows
        known = np.concatenate(taken)
        observed = Evaluations(
            np.concatenate([one.score for one in seen]),
            np.concatenate([one.noise for one in seen]),
            np.concatenate([one.source for one in seen]),
        )
        learned = by_ranks(observed) if policy.scale == "ranks" else observed
        predictor = make()
        predictor.fit(candidates[known], learned)
        value = acquisition(predictor.predict(networks), float(learned.score.max()), policy, generator)
        count = policy.batch


def by_ranks(observed: Evaluations) -> Evaluations:
    """The same evaluations, with the normal quantiles of their ranks as scores and noise in the same unit."""
    transform = TargetTransform.fit(observed.score, "quantile")
    noise = transform.forward_std(observed.score, observed.noise)
    return Evaluations(transform.forward(observed.score), noise, observed.source)


def acquisition(prediction: Prediction, best: float, policy: Policy, generator: np.random.Generator) -> Floats:
    """How much each prediction ``[n]`` is worth an evaluation; ``best`` is the best score that was observed."""
    mean, std = prediction.mean, prediction.std
    match policy.rule:
        case "greedy":
            return mean
        case "upper_confidence":
            return mean + policy.weight * std
        case "thompson":
            return mean + policy.weight * std * generator.standard_normal(len(mean))
        case "expected_improvement":
            from scipy.stats import norm

            above = (mean - best) / np.maximum(std, 1e-12)
            return np.asarray((mean - best) * norm.cdf(above) + std * norm.pdf(above), dtype=np.float64)


def best_rows(
    value: Floats, network: Rows, free: NDArray[np.bool_], count: int, generator: np.random.Generator
) -> Rows:
    """The ``count`` free rows of highest value, one of a network; equal values in random order.

    Once every network with a free row has given one, there are fewer.
    """
    rows = generator.permutation(np.flatnonzero(free))
    rows = rows[np.argsort(-value[rows], kind="stable")]
    _, first = np.unique(network[rows], return_index=True)
    return rows[np.sort(first)][:count]
