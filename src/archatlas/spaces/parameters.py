"""What a search space is asked to be. Torch-free: read before anything heavy is imported."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class StageParameters(BaseModel):
    """A run of positions with one width; the first position of the stage carries the stride."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    width: int = Field(ge=1, le=4096, description="output channels of the stage's blocks")
    depth: int = Field(
        ge=1, le=20, description="positions in the stage (of a space of cells: how often the cell stands)"
    )
    stride: Literal[1, 2] = Field(1, description="stride of the stage's first position")


class SpaceParameters(BaseModel):
    """A chain of blocks or a repeated cell: a preset, and what is to differ from it (None: as the preset has it).

    Of the other fields a repeated cell has ``stem_width`` and ``stages`` alone.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    preset: Literal["digits", "photographs", "mobile", "nas_bench_macro", "nas_bench_201", "nas_bench_101"] = Field(
        "digits", description="the space that the other fields modify; nas_bench_201 and _101 repeat one cell"
    )
    stem_width: int | None = Field(None, ge=1, le=4096, description="output channels of the first convolution")
    stem_stride: Literal[1, 2] | None = Field(None, description="stride of the first convolution")
    stem_block_width: int | None = Field(
        None, ge=0, le=4096, description="output channels of a fixed MBConv (expansion 1) after the stem; 0: none"
    )
    stages: tuple[StageParameters, ...] | None = Field(None, min_length=1, description="the stages, in order")
    choices: tuple[Annotated[str, Field(pattern=r"^(k[1-9]e[1-9]|skip)$")], ...] | None = Field(
        None,
        min_length=1,
        description="operations at each position: k<kernel>e<expansion> (odd kernel), and skip",
    )
    skip: Literal["where_shape_allows", "project"] | None = Field(
        None,
        description="where a position changes the shape, skip is not offered, or is a strided 1x1 projection",
    )
    squeeze_excitation: bool | None = Field(None, description="a squeeze-excitation gate in every MBConv")
    activation: Literal["relu", "relu6", "hard_swish"] | None = Field(None, description="non-linearity")
    head_width: int | None = Field(
        None, ge=0, le=8192, description="output channels of the 1x1 convolution before the pool; 0: none"
    )
    image_sizes: tuple[Annotated[int, Field(ge=4, le=4096)], ...] | None = Field(
        None,
        min_length=1,
        description="sides of the images that networks may take, pixels: part of the search; null: as prepared",
    )
    widths: tuple[Annotated[float, Field(gt=0, le=4)], ...] | None = Field(
        None,
        min_length=1,
        description="what all widths of a network may be multiplied by: part of the search; null: 1 alone",
    )

    @model_validator(mode="after")
    def _rising(self) -> Self:
        for name in ("image_sizes", "widths"):
            values = getattr(self, name)
            if values is not None and list(values) != sorted(set(values)):
                raise ValueError(f"`{name}` must rise, each one once, but is {list(values)}")
        return self
