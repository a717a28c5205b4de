"""What a space of chains is asked to be. Torch-free."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from archatlas.spaces.parameters import SpaceParameters, StageParameters


class ChainParameters(SpaceParameters):
    """A preset of chains of blocks, and what is to differ from it (None: as the preset has it)."""

    has_largest_path: ClassVar[bool] = True
    has_supernet: ClassVar[bool] = True
    has_sizes: ClassVar[bool] = True

    preset: str = Field("digits", description="the chains that the other fields modify")
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
