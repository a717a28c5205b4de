"""How winners are shown as backbones of a detector. Torch-free: read before anything heavy is imported."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from archatlas.training.parameters import TrainingParameters


class SceneParameters(BaseModel):
    """Scenes that are made of the project's images: several on a canvas, of random sizes and at random places."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    side: int = Field(32, ge=8, le=1024, description="side of the canvas, pixels")
    fewest: int = Field(2, ge=1, le=100, description="objects of a scene, at least")
    most: int = Field(
        5, ge=1, le=100, description="objects of a scene, at most; fewer, down to `fewest`, where there is no room left"
    )
    smallest: int = Field(7, ge=4, le=1024, description="side of an object, pixels, at least")
    largest: int = Field(14, ge=4, le=1024, description="side of an object, pixels, at most")
    train: int = Field(1000, ge=10, le=1_000_000, description="scenes of training images")
    judged: int = Field(300, ge=10, le=1_000_000, description="scenes of validation images, and as many of test images")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for low, high in (("fewest", "most"), ("smallest", "largest"), ("largest", "side")):
            if getattr(self, low) > getattr(self, high):
                raise ValueError(
                    f"`{low}` is {getattr(self, low)}, more than `{high}` = {getattr(self, high)}: lower it, or raise "
                    f"`{high}`"
                )
        # A square of s pixels covers just one of the pixels whose row and column are both the last of s.
        room = (self.side // self.smallest) ** 2
        if self.fewest > room:
            raise ValueError(
                f"`fewest` is {self.fewest}, but {room} squares of `smallest` = {self.smallest} pixels fill a canvas "
                f"of `side` = {self.side}: lower `fewest` or `smallest`, or raise `side`"
            )
        return self


class DetectionParameters(BaseModel):
    """A one-stage detector without anchors on the backbone of a winner, beside one on a scaled MobileNet."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    budget: str | None = Field(
        None, description="the budget whose winner is taken; null: of all winners the one with the most MACs"
    )
    seeds: int = Field(3, ge=1, le=100, description="detectors on each backbone")
    scenes: SceneParameters = Field(default_factory=SceneParameters, description="what is detected on")
    levels: int = Field(2, ge=1, le=6, description="maps of different strides that objects are looked for on")
    width: int = Field(32, ge=4, le=1024, description="channels of the pyramid and of the heads")
    training: TrainingParameters = Field(
        default_factory=lambda: TrainingParameters(epochs=20, batch_size=16, optimizer="adamw", learning_rate=0.005),
        description="schedule of a detector, backbone and all; labels are not smoothed, classes not balanced",
    )
    least_score: float = Field(0.05, ge=0, lt=1, description="probability of a class that a detection has at least")
    overlap: float = Field(0.5, gt=0, le=1, description="of two boxes of a class that overlap more, one is left")
    most_detections: int = Field(
        20, ge=1, le=100, description="detections of a scene, the most probable ones; COCO's precision counts 100"
    )

    @field_validator("training")
    @classmethod
    def _of_a_detector(cls, training: TrainingParameters) -> TrainingParameters:
        for field in ("label_smoothing", "ema_decay", "class_weights"):
            if getattr(training, field) != TrainingParameters.model_fields[field].default:
                raise ValueError(
                    f"`{field}` is {getattr(training, field)}, and detectors are trained without: leave it at "
                    f"{TrainingParameters.model_fields[field].default}"
                )
        return training
