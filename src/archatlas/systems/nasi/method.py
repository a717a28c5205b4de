"""NASI: search at initialisation (Shu et al., ICLR 2022, arXiv 2109.00817). No network is trained, none is scored.

Published: the trace T as the measure, the reward, algorithm 1 with its one step from zero logits, on the DARTS space
100 draws of 64 images. Reconstruction: straight-through gates, weights by Kaiming, what the adaptive threshold
averages. Ours: a quantile of T as threshold (the default), log T, bounds, networks in the place of spellings, and that
a network must look at its images to be chosen.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
import pandas as pd

from archatlas.errors import ArchatlasError
from archatlas.scores.parameters import Initialisation, ScoreParameters
from archatlas.supernet.protocol import Supernet
from archatlas.systems.account import VISITED
from archatlas.systems.ledger import COUNTED, Ledger
from archatlas.systems.nasi.draws import drawn
from archatlas.systems.nasi.reward import Reward, Threshold, logits_of
from archatlas.systems.nasi.selection import ranked
from archatlas.systems.nasi.start import Start, looking
from archatlas.systems.nasi.steepness import Draw, Through
from archatlas.systems.problem import Problem

_LOOKED_AT = 5


@dataclass(frozen=True)
class Nasi:
    """Draws architectures of an untrained super-network and steps once to where the loss is steep, but not too steep.

    ``steps`` draws with ``batch`` images each, fewer where the ledger closes; ``threshold``, ``mu``, ``nu`` and
    ``logarithm`` are the reward (``reward.Reward``), and another one needs no new draw. Batches, their size and labels
    and the weights are as for scores without training (``scores/parameters.py``). ``candidates`` networks are given.
    """

    steps: int = 100
    batch: int = 64
    threshold: Threshold = "quantile"
    mu: float = 2.0
    nu: float = 0.5
    logarithm: bool = False
    through: Through = "all"
    temperature: float = 1.0
    images: Literal["training", "gaussian"] = "training"
    labels: Literal["given", "random"] = "given"
    image_size: int | None = None
    initialisation: Initialisation = "kaiming"
    candidates: int = 10

    def __post_init__(self) -> None:
        if min(self.steps, self.candidates) < 1 or not self.temperature > 0:
            raise ArchatlasError(f"`steps`, `candidates` and `temperature` of NASI must be above 0, but got {self}")

    @property
    def reward(self) -> Reward:
        return Reward(self.threshold, self.mu, self.nu, self.logarithm)

    def search(
        self, problem: Problem, evaluator: Start, ledger: Ledger, generator: np.random.Generator
    ) -> pd.DataFrame:
        """The candidates as ``account.VISITED``, the most favoured first; the score is how much logits favour them."""
        start, reward, seed = evaluator, self.reward, seed_of(generator)
        parameters = self.parameters(start)
        supernet = start.supernet(parameters, seed)
        draws = self.draws(start, supernet, ledger, seed)
        chosen, scores = ranked(problem, logits_of(draws, reward), generator, _LOOKED_AT * self.candidates)
        found = looking(supernet, chosen, start.batch(parameters, seed, 0)[0], self.candidates, ledger)
        if not len(found):
            raise ArchatlasError(
                f"none of the {len(chosen)} networks within bounds that NASI favours most looks at its images: relax a "
                "budget, or take more `steps`"
            )
        rows = problem.costs(chosen[found]).reindex(columns=["macs", "params", "predicted_latency_ms"])
        rows.insert(0, "network", pd.Series(problem.space.names(chosen[found]), dtype="str"))
        rows.insert(1, "score", scores[found])
        spent = asdict(ledger.spent)
        return rows.assign(**{kind: spent[kind] for kind in COUNTED})[VISITED]

    def draws(self, start: Start, supernet: Supernet, ledger: Ledger, seed: int) -> list[Draw]:
        """What was drawn until the ledger closed (``draws.drawn``)."""
        return drawn(
            start, supernet, self.parameters(start), ledger,
            steps=self.steps, seed=seed, through=self.through, temperature=self.temperature,
        )  # fmt: skip

    def parameters(self, start: Start) -> ScoreParameters:
        """How batches and weights are drawn; without images of its own ``start`` has Gaussian ones."""
        images = "gaussian" if start.train is None else self.images
        return ScoreParameters(
            batch=self.batch, images=images, labels=self.labels, image_size=self.image_size,
            initialisation=self.initialisation,
        )  # fmt: skip


def seed_of(generator: np.random.Generator) -> int:
    """What a search draws its weights, batches and noise by: the first number of its generator."""
    return int(generator.integers(2**62))
