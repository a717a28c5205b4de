"""What the segment-wise procedure is asked to be. Torch-free."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

SEGMENTS = 3
"""How many segments 19 to 21 cells are cut into (Chen et al., AAAI 2021, as others report it), and the pipeline has."""


class SegmentsParameters(BaseModel):
    """How a chain is searched one segment after the other."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    boundaries: tuple[int, ...] | None = Field(
        default=None,
        min_length=SEGMENTS - 1,
        max_length=SEGMENTS - 1,
        description="position, counted from 0, at which the second and the third segment begin; None: the stages, if "
        "there are as many, or else segments of equal length",
    )
    survivors: int = Field(
        default=6, ge=1, le=1000, description="sub-architectures of a segment that are choices of the next super-cell"
    )
    samples_per_segment: int = Field(default=1000, ge=2, description="networks evaluated for each segment")
    rest: Literal["drawn", "fixed"] = Field(
        default="drawn",
        description="what stands behind the segment while it is evaluated: drawn anew for each sample, or one network",
    )
    spread_over: Literal["macs", "params", "latency_ms"] | None = Field(
        default="macs", description="cost that survivors are spread over; None: the highest predictions alone"
    )
    pool: bool = Field(default=True, description="whether a predictor learns from earlier segments' evaluations too")
    max_networks: int = Field(
        default=5_000_000, ge=1, description="sub-architectures of a segment, at most: all of them are predicted"
    )

    @field_validator("boundaries")
    @classmethod
    def _in_order(cls, boundaries: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if boundaries is not None and any(a >= b for a, b in zip((0, *boundaries), boundaries, strict=False)):
            raise ValueError("must be positions above 0 that ascend")
        return boundaries
