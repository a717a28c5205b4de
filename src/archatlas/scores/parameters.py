"""What networks are scored by without training. Torch-free: read before anything heavy is imported."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from archatlas.errors import nearest
from archatlas.scores.registry import SCORES

Initialisation = Literal["pytorch", "kaiming"]

ALL = ("grad_norm", "gradient_tensors", "jacov", "log_ntk_trace", "ntk_trace", "nwot", "rectifiers", "synflow")
"""The scores that are computed by default."""


class ScoreParameters(BaseModel):
    """Which scores, and what defines them: scores of other definitions are others."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    names: tuple[str, ...] = Field(
        default=ALL, min_length=1, description="the scores, by their names in scores/registry.py"
    )
    initialisation: Initialisation = Field(
        default="pytorch",
        description="variance of the weights of a convolution: pytorch: 1 / (3 fan-in), as most published scores have "
        "it; kaiming: 2 / fan-in, as NASI has it",
    )
    batch: int = Field(default=64, ge=2, le=4096, description="images that a network is scored on, once")
    image_size: int | None = Field(
        default=None, ge=4, le=1024, description="side of these images, pixels, at most as prepared; null: as prepared"
    )
    images: Literal["training", "gaussian"] = Field(
        default="training", description="training: drawn from the training images; gaussian: N(0, 1) values"
    )
    labels: Literal["given", "random"] = Field(
        default="given", description="labels that the loss is taken of; those of gaussian images are random"
    )
    part_size: int = Field(default=100, ge=1, description="networks whose scores are written at once")

    @field_validator("names")
    @classmethod
    def _known_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in SCORES:
                raise ValueError(f"there is no score without training {name!r}{nearest(name, SCORES)}")
        if len(set(names)) < len(names):
            raise ValueError(f"each score stands in `names` once, but got {list(names)}")
        return names
