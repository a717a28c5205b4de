"""How super-networks are trained and their subnets drawn and evaluated. Torch-free."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from archatlas.images.parameters import AugmentationParameters
from archatlas.training.parameters import TrainingParameters


class SupernetParameters(BaseModel):
    """How many super-networks are trained, and how."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seeds: int = Field(
        default=2,
        ge=1,
        le=100,
        description="super-networks, alike but for their seed and their size of images: what they disagree on is taken "
        "for noise",
    )
    strategy: str = Field(
        default="uniform",
        description="which paths a step trains, by a name in strategies/registry.py. uniform: one at random; "
        "sampled: one as the space draws networks; fair: so many that every choice has its share; sandwich: the "
        "largest, the smallest and one at random",
    )
    skip_weight: float = Field(default=1.0, gt=0, le=1, description="how often a skip is drawn, against each block")
    training: TrainingParameters = Field(
        default_factory=lambda: TrainingParameters(epochs=60), description="epochs, optimiser, schedule"
    )
    largest_first_epochs: int = Field(
        default=0,
        ge=0,
        le=10_000,
        description="epochs before these of the largest path alone, as slices of which all blocks that expand then "
        "begin; more than `training.warmup_epochs`, or 0: none",
    )
    start_from: str | None = Field(
        default=None,
        min_length=1,
        description="super-networks of the same space, trained on other images, whose weights these begin with: an "
        "experiment, a folder of safetensors files or one file; null: none",
    )
    augmentation: AugmentationParameters = Field(
        default_factory=lambda: AugmentationParameters.model_validate({}),
        description="random changes of the training images",
    )
    image_sizes: tuple[int, ...] | None = Field(
        default=None,
        description="sides of the images that super-networks are trained and judged on, in turn, pixels, of 4 to "
        "`images.image_size`; at most `seeds` of them; null: as prepared",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        sizes, first, warmup = self.image_sizes, self.largest_first_epochs, self.training.warmup_epochs
        if sizes is not None and (not sizes or min(sizes) < 4):
            raise ValueError(f"`image_sizes` needs sizes of at least 4 pixels, or null, but is {list(sizes)}")
        if sizes is not None and len(sizes) > self.seeds:
            raise ValueError(
                f"`image_sizes` has {len(sizes)} sizes, but `seeds` asks for {self.seeds} super-networks: ask for one "
                "for each size, or leave some out"
            )
        if 0 < first <= warmup:
            raise ValueError(
                f"`largest_first_epochs` is {first}, all of which `training.warmup_epochs` = {warmup:g} would spend on "
                "its warm-up: give the largest path more epochs, or set it to 0"
            )
        if self.start_from is not None and first:
            raise ValueError(
                f"`start_from` is {self.start_from}, whose blocks agree already, and `largest_first_epochs` = {first} "
                "would write slices of the largest path over them: set it to 0"
            )
        return self

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
        default=256,
        ge=2,
        description="training images from which a subnet's batch-norm statistics are estimated, whole batches of them",
    )
    calibration_batch: int = Field(default=256, ge=2, description="images per batch of that estimate")
    validation_batch: int = Field(default=512, ge=1, description="validation images per forward pass")
    precision: Literal["auto", "32", "bf16"] = Field(
        default="32",
        description="number format of activations and of convolution and linear weights; norms stay in float32; auto: "
        "bf16 where the processor computes in bfloat16",
    )
    whole_space: Literal["none", "networks", "architectures"] = Field(
        default="none",
        description="what is evaluated beside the sample: every network by its canonical architecture, or every "
        "architecture, twins too; predictors are fitted to the sample's scores alone all the same",
    )
    part_size: int = Field(default=200, ge=1, description="architectures whose results are written at once")

    @model_validator(mode="after")
    def _whole_batches(self) -> Self:
        images, batch = self.calibration_images, self.calibration_batch
        if images > batch and images % batch:
            raise ValueError(
                f"`calibration_images` is {images}, which whole batches of `calibration_batch` = {batch} do not make: "
                "each batch counts alike, so take a multiple"
            )
        return self
