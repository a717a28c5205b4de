"""Where scores come from: choices in, evaluations out, whatever the source, at a price."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from archatlas.images.dataset import ImageSplit
from archatlas.spaces.protocol import Choices, SearchSpace
from archatlas.spaces.tables.known import KnownNetworks
from archatlas.supernet.parameters import EvaluationParameters
from archatlas.supernet.protocol import Supernet
from archatlas.systems.ledger import Spending
from archatlas.training.seeds import mixed_seed
from archatlas.verification.candidates import evaluate_on_each
from archatlas.verification.trainings import TrainingJob, Trainings

BACKWARD = 2
"""Multiply-accumulates of a backward pass for each of the forward pass: gradients of the input and of the weights."""


class Evaluator(Protocol):
    """A source of scores, the higher the better."""

    def price(self, macs: NDArray[np.int64]) -> list[Spending]:
        """What it costs to score networks of so many MACs each."""

    def evaluate(self, choices: Choices) -> pd.DataFrame:
        """Evaluations of canonical rows: columns network, accuracy, log_loss, seed, source, ..., some rows for each."""


@dataclass(frozen=True)
class SupernetEvaluator:
    """Subnets of super-networks that are trained already.

    Attributes:
        supernets: by their number.
        space: of these.
        train, validation: images; of the former some re-estimate batch-norm statistics.
        how: keywords of ``supernet.evaluate.evaluate_subnets`` beside these.
    """

    supernets: Mapping[int, Supernet]
    space: SearchSpace
    train: ImageSplit
    validation: ImageSplit
    parameters: EvaluationParameters
    how: Mapping[str, Any]

    def price(self, macs: NDArray[np.int64]) -> list[Spending]:
        """A forward pass of every calibration and validation image on every super-network.

        What subnets share (``supernet/prefix_shared.py``) is not deducted: other methods ask for other subnets.
        """
        seen = min(self.parameters.calibration_images, len(self.train)) + len(self.validation)
        return [Spending(evaluations=1, forward_macs=float(one) * seen * len(self.supernets)) for one in macs]

    def evaluate(self, choices: Choices) -> pd.DataFrame:
        given = {"train": self.train, "validation": self.validation, "parameters": self.parameters, **self.how}
        return evaluate_on_each(self.supernets.items(), self.space, choices, **given)


@dataclass(frozen=True)
class AloneEvaluator:
    """Networks trained alone, each from ``seeds`` seeds; what was trained before is looked up, and charged no less."""

    space: SearchSpace
    trainings: Trainings
    seeds: int = 1
    seed: int = 0

    def price(self, macs: NDArray[np.int64]) -> list[Spending]:
        """Epochs times training images, forward and backward, and the validation images at the end; for each seed."""
        seen = len(self.trainings.train) * self.trainings.training.epochs * self.seeds
        judged = len(self.trainings.validation) * self.seeds
        return [
            Spending(
                evaluations=1,
                forward_macs=float(one) * (seen + judged),
                backward_macs=float(one) * seen * BACKWARD,
                trainings=self.seeds,
            )
            for one in macs
        ]

    def evaluate(self, choices: Choices) -> pd.DataFrame:
        names = self.space.names(choices).tolist()
        seeds = [mixed_seed(self.seed, number) >> 32 for number in range(self.seeds)]
        jobs = [TrainingJob(self.space, name, seed) for name in names for seed in seeds]
        done = self.trainings.run(jobs, "train alone")
        accuracy, images = done["validation_accuracy"].to_numpy(dtype=np.float64), len(self.trainings.validation)
        return pd.DataFrame(
            {
                "architecture": done["network"],
                "network": done["network"],
                "seed": done["seed"],
                "half": "a",
                "accuracy": accuracy,
                "log_loss": done["validation_log_loss"],
                "images": np.int64(images),
                "source": "standalone",
                "noise": np.sqrt(accuracy * (1 - accuracy) / images),
            }
        )


@dataclass(frozen=True)
class TableEvaluator:
    """Networks that a public table knows; a lookup stands for a training, whatever that cost others."""

    known: KnownNetworks

    def price(self, macs: NDArray[np.int64]) -> list[Spending]:
        return [Spending(evaluations=1, trainings=1) for _ in macs]

    def evaluate(self, choices: Choices) -> pd.DataFrame:
        return self.known.evaluations(self.known.space.names(choices).tolist())
