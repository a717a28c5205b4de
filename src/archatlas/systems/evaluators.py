"""Where scores come from: choices in, evaluations out, whatever the source, at a price."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from archatlas.spaces.protocol import Choices, SearchSpace
from archatlas.spaces.tables.known import KnownNetworks
from archatlas.supernet.evaluate import EvaluationImages, Judging
from archatlas.supernet.kept import KEPT_MIB
from archatlas.supernet.parameters import EvaluationParameters
from archatlas.supernet.protocol import Supernet
from archatlas.systems.ledger import Spending
from archatlas.verification.alone import job_of, training_seeds
from archatlas.verification.trainings import Trainings

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
        images: what subnets are judged on.
    """

    supernets: Mapping[int, Supernet]
    space: SearchSpace
    images: EvaluationImages

    def price(self, macs: NDArray[np.int64]) -> list[Spending]:
        """A forward pass of every calibration and validation image on every super-network.

        What subnets share (``supernet/prefix_shared.py``) is not deducted: other methods ask for other subnets.
        """
        seen = images_seen(self.images.parameters, len(self.images.train), len(self.images.judged))
        return [Spending(evaluations=1, forward_macs=float(one) * seen * len(self.supernets)) for one in macs]

    def evaluate(self, choices: Choices) -> pd.DataFrame:
        tables = [judging.table(choices, number) for number, judging in self._judging.items()]
        return pd.concat(tables, ignore_index=True)

    @cached_property
    def _judging(self) -> dict[int, Judging]:
        return {
            number: Judging(supernet, self.space, self.images, KEPT_MIB * 2**20)
            for number, supernet in self.supernets.items()
        }


def images_seen(parameters: EvaluationParameters, train: int, validation: int) -> int:
    """Forward passes of single images that an evaluation takes, of so many training and validation images."""
    return min(parameters.calibration_images, train) + validation


@dataclass(frozen=True)
class AloneEvaluator:
    """Networks trained alone, each from ``seeds`` seeds, as finalists are.

    What was trained before, whoever asked, is looked up, and charged no less. Of a space of several sizes of images and
    widths each network is one of its member's (``verification/members.py``).
    """

    space: SearchSpace
    trainings: Trainings
    seeds: int = 1
    seed: int = 0

    def price(self, macs: NDArray[np.int64]) -> list[Spending]:
        splits = len(self.trainings.train), len(self.trainings.validation)
        return [trained_alone(float(one), self.seeds, self.trainings.training.epochs, *splits) for one in macs]

    def evaluate(self, choices: Choices) -> pd.DataFrame:
        names = self.space.names(choices).tolist()
        jobs = [job_of(self.space, name, seed) for name in names for seed in training_seeds(self.seed, self.seeds)]
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


def trained_alone(macs: float, seeds: int, epochs: int, train: int, validation: int) -> Spending:
    """What it costs to train and judge a network of so many MACs alone, as often as there are ``seeds``.

    Epochs times training images, forward and backward, and the validation images at the end.
    """
    seen = train * epochs * seeds
    return Spending(
        evaluations=1,
        forward_macs=macs * (seen + validation * seeds),
        backward_macs=macs * seen * BACKWARD,
        trainings=seeds,
    )


@dataclass(frozen=True)
class TableEvaluator:
    """Networks that a public table knows; a lookup stands for a training, whatever that cost others."""

    known: KnownNetworks

    def price(self, macs: NDArray[np.int64]) -> list[Spending]:
        return [Spending(evaluations=1, trainings=1) for _ in macs]

    def evaluate(self, choices: Choices) -> pd.DataFrame:
        return self.known.evaluations(self.known.space.names(choices).tolist())
