"""What stands around and inside of freely wired cells: stem, pooling, operations, joins, head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from archatlas.errors import ArchatlasError
from archatlas.spaces.wired_parameters import MIN_USED_VERTICES, MOST_VERTICES

if TYPE_CHECKING:
    from torch import nn

    from archatlas.networks.wired import WiredCell

OPERATIONS = ("conv1x1-bn-relu", "sepconv3x3-bn-relu")
"""What vertices compute. Cells spell them as the digits 0 and 1."""


@dataclass(frozen=True)
class CellShape:
    """One cell: a digit for the operation of each vertex, channels of a vertex and of the output, pooling before it."""

    operations: str
    width: int
    out_width: int
    pool: bool = True

    @property
    def kinds(self) -> NDArray[np.int64]:
        """Indices of the vertices' operations, ``[vertices]``."""
        return np.array([int(digit) for digit in self.operations])


Steps = Sequence[tuple[int, Sequence[int]]]
"""The used vertices of one cell in order, from 1, each with what it reads; 0 is the cell's input."""


@dataclass(frozen=True)
class WiredFrame:
    """Everything but the wirings: images ``[b, c, h, w]`` pass the stem, the cells in order, and the head."""

    name: str
    input_shape: tuple[int, int, int]
    num_classes: int
    cells: tuple[CellShape, ...]
    min_used_vertices: int = MIN_USED_VERTICES
    stem_width: int = 16
    stem_kernel: int = 3
    stem_stride: int = 1
    stem_block_width: int = 0

    def __post_init__(self) -> None:
        vertices = self.vertices
        if not 1 <= vertices <= MOST_VERTICES or any(len(cell.operations) != vertices for cell in self.cells):
            raise ArchatlasError(
                f"all cells of {self.name} have the same number of vertices, 1 to {MOST_VERTICES}, but got "
                f"{[len(cell.operations) for cell in self.cells]}: set `space.vertices`"
            )
        if any(set(cell.operations) - set("01") for cell in self.cells):
            raise ArchatlasError(f"operations of {self.name} are spelled 0 ({OPERATIONS[0]}) and 1 ({OPERATIONS[1]})")
        if not 1 <= self.min_used_vertices <= vertices:
            raise ArchatlasError(
                f"a cell has {vertices} vertices, so at least {self.min_used_vertices} of them cannot be used: set "
                f"`space.min_used_vertices` to 1 to {vertices}, or raise `space.vertices`"
            )
        for cell, side in enumerate(map(min, self.sizes()), start=1):
            if side < 1:
                raise ArchatlasError(
                    f"images of {self.input_shape[1]} x {self.input_shape[2]} are too small for the pooling before "
                    f"cell {cell} of {self.name}, which needs 2 pixels a side: take larger images "
                    "(`images.image_size`), a lower `space.stem_stride` or `pool: false` in `space.cells`"
                )

    @property
    def vertices(self) -> int:
        """Vertices of each cell."""
        return len(self.cells[0].operations)

    @property
    def stem_out_width(self) -> int:
        """Channels of the first cell's input."""
        return self.stem_block_width or self.stem_width

    def sizes(self) -> list[tuple[int, int]]:
        """Height and width of each cell's maps; 0 where there was nothing to pool."""
        size = tuple(-(-side // self.stem_stride) for side in self.input_shape[1:])
        sizes = []
        for cell in self.cells:
            if cell.pool:
                size = tuple(0 if side < 2 else -(-side // 2) for side in size)
            sizes.append((size[0], size[1]))
        return sizes

    def areas(self) -> list[int]:
        """Pixels of each cell's maps."""
        return [height * width for height, width in self.sizes()]

    # -- Modules ---------------------------------------------------------------------------------------------------

    def make_stem(self) -> nn.Module:
        """A convolution and, if asked for, a separable one."""
        from torch import nn

        from archatlas.networks.blocks import ConvNorm
        from archatlas.networks.wired import SeparableConv

        convolution = ConvNorm(self.input_shape[0], self.stem_width, self.stem_kernel, self.stem_stride)
        if not self.stem_block_width:
            return convolution
        return nn.Sequential(convolution, SeparableConv(self.stem_width, self.stem_block_width))

    def make_pool(self, cell: int) -> nn.Module | None:
        """What halves the size before a cell, rounding up; None where nothing does."""
        from torch import nn

        return nn.MaxPool2d(2, ceil_mode=True) if self.cells[cell].pool else None

    def make_operation(self, cell: int, vertex: int, in_width: int) -> nn.Module:
        """What a vertex (from 1) computes of ``in_width`` concatenated channels."""
        from archatlas.networks.blocks import ConvNorm
        from archatlas.networks.wired import SeparableConv

        kind = (ConvNorm, SeparableConv)[self.cells[cell].kinds[vertex - 1]]
        return kind(in_width, self.cells[cell].width)

    def make_head(self) -> nn.Module:
        """Global average, classifier."""
        from archatlas.networks.blocks import Head

        return Head(self.cells[-1].out_width, 0, self.num_classes)

    def in_width(self, cell: int) -> int:
        """Channels of a cell's input."""
        return self.cells[cell - 1].out_width if cell else self.stem_out_width

    def make_cell(self, cell: int, steps: Steps) -> WiredCell:
        """A cell of one wiring."""
        from archatlas.networks.wired import Vertex, WiredCell

        shape, in_width = self.cells[cell], self.in_width(cell)
        places = {0: 0} | {vertex: place for place, (vertex, _) in enumerate(steps, start=1)}
        vertices = [
            Vertex(
                self.make_operation(cell, vertex, sum(shape.width if source else in_width for source in sources)),
                [places[source] for source in sources],
            )
            for vertex, sources in steps
        ]
        return WiredCell(in_width, shape.width, shape.out_width, vertices)
