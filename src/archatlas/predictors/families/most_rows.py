"""Learning from some of many rows, and still saying of each what would have been predicted without it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.predictors.protocol import Evaluations, Prediction


def learned_from_most(
    learn: Callable[[ArchitectureBatch, Evaluations], Prediction],
    predict: Callable[[ArchitectureBatch], Prediction],
    batch: ArchitectureBatch,
    evaluations: Evaluations,
    rows: int,
    seed: int,
) -> Prediction:
    """What is held out of every row, in their order, where at most ``rows`` drawn at random are learned from.

    Networks are drawn, with all of their rows, so that no twin of what is held out is learned.

    Args:
        learn: fits, and gives what is held out of the rows that it was given
        predict: what the fit says of others
        batch: ``n`` architectures
        evaluations: theirs
        rows: the most that are learned
        seed: of the draw
    """
    if len(batch) <= rows:
        return learn(batch, evaluations)
    drawn = np.argsort(np.random.default_rng([seed, 7]).permutation(batch.networks.max() + 1))[batch.networks]
    order = np.argsort(drawn, kind="stable")
    most = int(np.searchsorted(drawn[order], drawn[order[rows]])) or rows  # One network may have more rows than that.
    learned, rest = order[:most], order[most:]
    parts = [learn(batch[learned], evaluations[learned]), predict(batch[rest])]
    place = np.argsort(order)
    mean, std = (np.concatenate([getattr(part, name) for part in parts])[place] for name in ("mean", "std"))
    return Prediction(mean, std)
