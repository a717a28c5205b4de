"""How search methods are compared. Torch-free: read before anything heavy is imported."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from archatlas.images.parameters import AugmentationParameters
from archatlas.training.parameters import TrainingParameters


class MethodsParameters(BaseModel):
    """What each method may spend, and how often it is tried."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    names: tuple[str, ...] | None = Field(
        None, min_length=1, description="methods that search, by their names in the registry; null: all"
    )
    evaluations: int | None = Field(
        None,
        ge=2,
        le=1_000_000,
        description="networks that each search may score; null: as many as the main job has",
    )
    score_by: Literal["supernet", "training"] = Field(
        "supernet",
        description="where scores come from: subnets of the super-networks, or networks trained alone by `training`",
    )
    training: TrainingParameters = Field(
        default_factory=TrainingParameters, description="schedule of networks that are trained alone to be scored"
    )
    augmentation: AugmentationParameters = Field(
        default_factory=AugmentationParameters, description="changes of training images in these trainings"
    )
    seeds: int = Field(3, ge=1, le=100, description="searches of each method for each budget")
    settings: dict[str, dict[str, Any]] = Field(
        default={}, description="settings of methods that are not their defaults, by the method's name"
    )

    def asks(self, name: str) -> bool:
        """Whether the method is to search."""
        return self.names is None or name in self.names
