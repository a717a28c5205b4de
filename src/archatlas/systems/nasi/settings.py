"""What NASI is asked. Torch-free: read before anything heavy is imported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import PositiveFloat, PositiveInt

from archatlas.scores.parameters import Initialisation, ScoreParameters
from archatlas.systems.nasi.reward import Reward, Threshold
from archatlas.systems.nasi.through import Through


@dataclass(frozen=True)
class NasiSettings:
    """``steps`` draws with ``batch`` images each, fewer where the ledger closes; ``candidates`` networks are given.

    ``threshold``, ``mu``, ``nu`` and ``logarithm`` are the reward (``reward.Reward``), and another one needs no new
    draw. Batches, their size and labels and the weights are as for scores without training, and have their bounds
    (``scores/parameters.py``).
    """

    steps: PositiveInt = 100
    batch: int = 64
    threshold: Threshold = "quantile"
    mu: float = 2.0
    nu: float = 0.5
    logarithm: bool = False
    through: Through = "all"
    temperature: PositiveFloat = 1.0
    images: Literal["training", "gaussian"] = "training"
    labels: Literal["given", "random"] = "given"
    image_size: int | None = None
    initialisation: Initialisation = "kaiming"
    candidates: PositiveInt = 10

    def __post_init__(self) -> None:
        _ = self.reward, self.batches

    @property
    def reward(self) -> Reward:
        """What draws are judged by."""
        return Reward(self.threshold, self.mu, self.nu, self.logarithm)

    @property
    def batches(self) -> ScoreParameters:
        """How batches and weights are drawn."""
        return ScoreParameters(
            batch=self.batch, images=self.images, labels=self.labels, image_size=self.image_size,
            initialisation=self.initialisation,
        )  # fmt: skip
