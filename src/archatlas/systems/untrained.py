"""Scores without training as a source for search methods."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from archatlas.images.dataset import ImageSplit
from archatlas.images.description import ImageDescription
from archatlas.scores.parameters import ScoreParameters
from archatlas.scores.score import score_networks
from archatlas.spaces.protocol import Choices, SearchSpace
from archatlas.storage.work_store import WorkStore
from archatlas.systems.evaluators import BACKWARD
from archatlas.systems.ledger import Spending
from archatlas.training.parameters import DeviceParameters


@dataclass(frozen=True)
class UntrainedEvaluator:
    """Networks at initialisation, by one score.

    Attributes:
        space: of the networks
        score: by its name in ``scores/registry.py``
        train: images of which one batch is drawn; None where there are none, with ``gaussian`` images
        work: where finished parts are kept; None: nowhere
    """

    space: SearchSpace
    score: str
    train: ImageSplit | None
    description: ImageDescription
    parameters: ScoreParameters
    device: DeviceParameters
    seed: int
    work: WorkStore | None = None

    def price(self, macs: NDArray[np.int64]) -> list[Spending]:
        """A forward and a backward pass of one batch: at most what one score asks for.

        Passes at another size of images cost in proportion to their pixels.
        """
        size = self.parameters.image_size or self.description.image_size
        images = self.parameters.batch * (size / self.description.image_size) ** 2
        return [
            Spending(evaluations=1, forward_macs=float(one) * images, backward_macs=float(one) * images * BACKWARD)
            for one in macs
        ]

    def evaluate(self, choices: Choices) -> pd.DataFrame:
        """The score stands in the column ``accuracy``: of it the order alone means something.

        What is not finite is missing. ``log_loss`` and ``noise`` are not known.
        """
        scores = score_networks(
            self.space,
            choices,
            train=self.train,
            description=self.description,
            parameters=self.parameters.model_copy(update={"names": (self.score,)}),
            device=self.device,
            seed=self.seed,
            work=self.work,
        )
        score = scores[self.score].to_numpy(dtype=np.float64)
        return pd.DataFrame(
            {
                "architecture": scores["network"],
                "network": scores["network"],
                "seed": np.int64(0),
                "half": "a",
                "accuracy": np.where(np.isfinite(score), score, np.nan),
                "log_loss": np.nan,
                "images": np.int64(self.parameters.batch),
                "source": "proxy",
                "noise": np.nan,
            }
        )
