"""How super-networks are trained and their subnets drawn and evaluated. Torch-free."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from archatlas.images.parameters import AugmentationParameters
from archatlas.training.parameters import TrainingParameters


class SupernetParameters(BaseModel):
    """How many super-networks are trained, and how."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seeds: int = Field(
        default=2,
        ge=1,
        le=100,
        description="super-networks, alike but for their seed: their disagreement is the scores' noise",
    )
    strategy: Literal["uniform", "fair", "sandwich"] = Field(
        default="uniform",
        description="which paths a step trains: one at random, every choice once, or largest-smallest-random",
    )
    skip_weight: float = Field(default=1.0, gt=0, le=1, description="how often a skip is drawn, against each block")
    training: TrainingParameters = Field(
        default_factory=lambda: TrainingParameters(epochs=60), description="epochs, optimiser, schedule"
    )
    largest_first_epochs: int = Field(
        default=0,
        ge=0,
        le=10_000,
        description="epochs before these of the largest path alone, as slices of which all blocks then begin; 0: none",
    )
    augmentation: AugmentationParameters = Field(
        default_factory=lambda: AugmentationParameters.model_validate({}),
        description="random changes of the training images",
    )
    image_sizes: tuple[int, ...] | None = Field(
        default=None,
        description="image sizes that super-networks are trained and judged on, in turn, pixels; null: as prepared",
    )

    @field_validator("image_sizes")
    @classmethod
    def _each_size_has_a_super_network(
        cls, sizes: tuple[int, ...] | None, info: ValidationInfo
    ) -> tuple[int, ...] | None:
        seeds = info.data.get("seeds")
        if sizes is not None and (not sizes or min(sizes) < 4):
            raise ValueError("give at least one size, of at least 4 pixels each, or null")
        if sizes is not None and seeds is not None and len(sizes) > seeds:
            raise ValueError(f"{len(sizes)} sizes need as many super-networks, but `supernet.seeds` is {seeds}")
        return sizes

    def image_size(self, number: int, prepared: int) -> int:
        """The size for super-network ``number``, of images that were prepared at ``prepared`` pixels."""
        return prepared if self.image_sizes is None else self.image_sizes[number % len(self.image_sizes)]


class SampleParameters(BaseModel):
    """Which architectures are evaluated on the super-networks."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    architectures: int = Field(
        default=1000, ge=2, description="networks drawn uniformly from the space, without repeats"
    )
    twins_per_network: int = Field(
        default=1, ge=1, le=100, description="spellings evaluated of each network (fewer where it has fewer)"
    )


class EvaluationParameters(BaseModel):
    """How subnets are judged."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    calibration_images: int = Field(
        default=256, ge=2, description="training images from which a subnet's batch-norm statistics are estimated"
    )
    calibration_batch: int = Field(default=256, ge=2, description="images per batch of that estimate")
    validation_batch: int = Field(
        default=512, ge=1, description="validation images per forward pass; bounds the memory"
    )
    precision: Literal["32", "bf16"] = Field(
        default="32",
        description="number format of activations and of convolution and linear weights; norms stay in float32",
    )
    whole_space: Literal["none", "networks", "architectures"] = Field(
        default="none",
        description="what is evaluated beside the sample: every network by its canonical architecture, or every "
        "architecture, twins too; predictors are fitted to the sample's scores alone all the same",
    )
    part_size: int = Field(default=200, ge=1, description="architectures whose results are written at once")
