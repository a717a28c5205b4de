"""What a space of one repeated cell is asked to be. Torch-free."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from archatlas.spaces.parameters import SpaceParameters, StageParameters


class CellParameters(SpaceParameters):
    """The network around a cell that is repeated (None: as the benchmark has it)."""

    stem_width: int | None = Field(None, ge=1, le=4096, description="output channels of the first convolution")
    stages: tuple[StageParameters, ...] | None = Field(
        None, min_length=1, description="the stages, in order, each `depth` cells of `width` channels"
    )


class EdgeCellParameters(CellParameters):
    """Cells with operations on their edges."""

    has_supernet: ClassVar[bool] = True

    preset: str = Field("nas_bench_201", description="the cells")


class VertexCellParameters(CellParameters):
    """Cells with operations on their vertices."""

    preset: str = Field("nas_bench_101", description="the cells")
