"""How search methods are compared. Torch-free: read before anything heavy is imported."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class MethodsParameters(BaseModel):
    """What each method may spend, and how often it is tried."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    evaluations: int | None = Field(
        None,
        ge=2,
        le=1_000_000,
        description="networks that each search may score on the super-networks; null: as many as the main job has",
    )
    seeds: int = Field(3, ge=1, le=100, description="searches of each method for each budget")
    settings: dict[str, dict[str, Any]] = Field(
        default={}, description="settings of methods that are not their defaults, by the method's name"
    )
