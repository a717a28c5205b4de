"""What a space of freely wired cells is asked to be. Torch-free."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from archatlas.spaces.parameters import SpaceParameters

MOST_VERTICES = 60
"""Sets of vertices, the cell's input among them, are bits of one 64-bit number (``spaces/wiring.py``)."""

VERTICES, MIN_USED_VERTICES = 12, 3
"""Of cells that nothing else is said of."""


class WiredCellParameters(SpaceParameters):
    """Cells of any wiring and the network around them (None: two cells of 12 vertices, for images of 8 x 8)."""

    has_free_paths: ClassVar[bool] = False
    has_supernet: ClassVar[bool] = True

    preset: str = Field("wired_cells", description="the cells")
    vertices: int | None = Field(None, ge=1, le=MOST_VERTICES, description="ordered vertices of each cell")
    min_used_vertices: int | None = Field(
        None, ge=1, description="vertices that a cell's input reaches, at least; those that it does not are not built"
    )
    operations_seed: int | None = Field(
        None, ge=0, description="which half of each cell's vertices are 1x1 convolutions, and which are separable"
    )
    cells: tuple[CellShapeParameters, ...] | None = Field(
        None, min_length=1, max_length=12, description="the cells, in order, each with a wiring of its own"
    )
    stem_width: int | None = Field(None, ge=1, le=4096, description="output channels of the first convolution")
    stem_kernel: int | None = Field(None, ge=1, le=15, description="its kernel, odd")
    stem_stride: Literal[1, 2, 4] | None = Field(None, description="its stride, a power of two as all strides are")
    stem_block_width: int | None = Field(
        None, ge=0, le=4096, description="output channels of a separable convolution after it; 0: none"
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.stem_kernel is not None and self.stem_kernel % 2 == 0:
            raise ValueError(f"`stem_kernel` must be odd, but is {self.stem_kernel}")
        vertices = VERTICES if self.vertices is None else self.vertices
        if (self.min_used_vertices or min(MIN_USED_VERTICES, vertices)) > vertices:
            raise ValueError(
                f"`min_used_vertices` is {self.min_used_vertices}, but a cell has {vertices} vertices: set it to 1 to "
                f"{vertices}, or raise `vertices`"
            )
        return self


class CellShapeParameters(BaseModel):
    """Widths of one cell, and whether its input is pooled."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    width: int = Field(ge=1, le=4096, description="output channels of each vertex")
    out_width: int = Field(ge=1, le=4096, description="output channels of the cell")
    pool: bool = Field(True, description="whether a 2x2 max-pool halves the size before the cell")
