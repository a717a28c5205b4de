"""NASI: search at initialisation (Shu et al., ICLR 2022, arXiv 2109.00817). No network is trained, none is scored.

Published: the trace T as the measure, the reward, algorithm 1 with its one step from zero logits, on the DARTS space
100 draws of 64 images. Reconstruction: straight-through gates, weights by Kaiming, what the adaptive threshold
averages. Ours: a quantile of T as threshold (the default), log T, bounds, networks in the place of spellings, and that
a network must look at its images to be chosen.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from archatlas.errors import ArchatlasError
from archatlas.scores.parameters import ScoreParameters
from archatlas.spaces.protocol import SearchSpace
from archatlas.supernet.make import has_supernet
from archatlas.supernet.protocol import Supernet
from archatlas.systems.account import VISITED
from archatlas.systems.ledger import COUNTED, Ledger
from archatlas.systems.nasi.draws import drawn
from archatlas.systems.nasi.reward import logits_of
from archatlas.systems.nasi.selection import ranked
from archatlas.systems.nasi.settings import NasiSettings
from archatlas.systems.nasi.start import Start, looking
from archatlas.systems.nasi.steepness import Draw
from archatlas.systems.problem import Problem

_LOOKED_AT = 5


@dataclass(frozen=True)
class Nasi(NasiSettings):
    """Draws architectures of an untrained super-network, and steps once to where the loss is steep, but not too steep.

    What it is asked is said where its settings are.
    """

    def unfit(self, space: SearchSpace) -> str | None:
        """Why the method cannot search a space; None where it can."""
        return None if has_supernet(space) else f"there is no super-network for the space {space.name}"

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
        return self.batches.model_copy(update={"images": "gaussian"}) if start.train is None else self.batches


def seed_of(generator: np.random.Generator) -> int:
    """What a search draws its weights, batches and noise by: the first number of its generator."""
    return int(generator.integers(2**62))
