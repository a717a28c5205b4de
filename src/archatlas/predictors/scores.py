"""From the table of evaluations to scores of networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from archatlas.errors import ArchatlasError
from archatlas.predictors.protocol import Evaluations

Floats = NDArray[np.float64]
Target = Literal["accuracy", "log_loss"]


@dataclass(frozen=True)
class NetworkScores:
    """Scores of ``n`` networks by ``s`` super-networks on ``h`` parts of the validation images; higher is better.

    Shapes:
        score: float64 ``[n, s, h]``, twins averaged; accuracy, or minus the log loss
        image_noise: float64 ``[n, h]``, standard error that comes from the choice of images
        source: str ``[n]``
    """

    seeds: tuple[int, ...]
    halves: tuple[str, ...]
    score: Floats
    image_noise: Floats
    source: NDArray[np.str_]

    def evaluations(self, seeds: Sequence[int] | None = None, halves: Sequence[int] | None = None) -> Evaluations:
        """The mean over some seeds and halves (indices; None: all), with its standard error.

        ``noise^2 = mean_h(image_noise^2) / H + d^2 / S``. Super-networks are judged on the same images, so more of
        them do not lessen the first term. ``d^2`` is the variance between seeds of a network's score, once each seed's
        own level is taken away, averaged over all networks (two seeds say too little about one); 0 for a single seed.
        """
        part = self.score[:, list(seeds) if seeds is not None else slice(None)]
        part = part[:, :, list(halves) if halves is not None else slice(None)]
        images = self.image_noise[:, list(halves) if halves is not None else slice(None)]
        by_seed = part.mean(axis=2)
        level_free = by_seed - by_seed.mean(axis=0)
        between = float(level_free.var(axis=1, ddof=1).mean()) if by_seed.shape[1] > 1 else 0.0
        variance = (images**2).mean(axis=1) / images.shape[1] + between / by_seed.shape[1]
        return Evaluations(by_seed.mean(axis=1), np.sqrt(variance), self.source)

    def __getitem__(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> NetworkScores:
        return NetworkScores(self.seeds, self.halves, self.score[rows], self.image_noise[rows], self.source[rows])


def network_scores(evaluations: pd.DataFrame, networks: Sequence[str], target: Target) -> NetworkScores:
    """Scores of ``networks``, in that order.

    The noise of the images is the binomial standard error for accuracy, and for log loss, where the table has none,
    half of the variance of the difference between the halves (0 with one half).

    Raises:
        ArchatlasError: a network lacks an evaluation by one of the seeds on one of the halves.
    """
    seeds = tuple(sorted(int(seed) for seed in evaluations["seed"].unique()))
    halves = tuple(sorted(str(half) for half in evaluations["half"].unique()))
    keys = ["network", "seed", "half"]
    mean = evaluations.groupby(keys)[[target, "noise"]].mean()
    wanted = pd.MultiIndex.from_product([list(networks), seeds, halves], names=keys)
    found = mean.reindex(wanted)
    absent = np.flatnonzero(found[target].isna().to_numpy())
    if len(absent):
        network, seed, half = wanted[absent[0]]
        raise ArchatlasError(
            f"every network needs a finite {target} from every super-network on every half, but {network!r} has none "
            f"from seed {seed} on half {half!r} ({len(absent)} are missing); run evaluate_subnets again"
        )
    shape = (len(networks), len(seeds), len(halves))
    score = found[target].to_numpy(np.float64).reshape(shape)
    if target == "log_loss":
        score = -score
        noise = np.full((shape[0], shape[2]), _half_noise(score))
    else:
        noise = found["noise"].fillna(0.0).to_numpy(np.float64).reshape(shape).mean(axis=1)
    sources = evaluations.drop_duplicates("network").set_index("network")["source"]
    return NetworkScores(seeds, halves, score, noise, sources.loc[list(networks)].to_numpy(dtype=np.str_))


def _half_noise(score: Floats) -> float:
    """Standard error of a score on one half: from how halves disagree once each half's own level is taken away."""
    if score.shape[2] < 2:
        return 0.0
    level_free = score - score.mean(axis=0, keepdims=True)
    return float(np.sqrt(level_free.var(axis=2, ddof=1).mean()))
