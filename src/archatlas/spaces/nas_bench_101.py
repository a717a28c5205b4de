"""NAS-Bench-101 (Ying et al., ICML 2019, arXiv 1902.09635): cells of up to seven vertices and nine edges.

The benchmark's network: a 3x3 convolution to 128 channels, three stages of three cells, each after the first at half
the size and twice the width, global average, classifier. Any other width and depth can be asked for. What a cell is,
and which cells are one network, is told in ``spaces/vertex_cells.py``: there are 423,624 networks.

A cell's output concatenates the vertices that it reads, which share its channels out; any other vertex has as many as
the widest that reads it; the cell's input is projected to whatever reads it (section 2.2 and appendix S1 of the paper).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from archatlas.errors import ArchatlasError
from archatlas.graphs.architecture_graphs import ArchitectureGraphs
from archatlas.spaces.cell_parameters import CellParameters
from archatlas.spaces.chain_parts import Stage, fields_of
from archatlas.spaces.protocol import UNIFORM, Choices, Names, choice_matrix
from archatlas.spaces.variation import FreeChoices
from archatlas.spaces.vertex_cells import VertexCells, vertex_cells

if TYPE_CHECKING:
    from torch import nn

Integers = NDArray[np.int64]

STAGES = (Stage(128, 3, 1), Stage(256, 3, 2), Stage(512, 3, 2))
"""The benchmark's own network; its stem has 128 channels."""

_MOST_MUTATIONS = 8
"""How often a mutation is drawn again that gives no cell."""

_LETTERS = b"31m"
"""The operations in names, in their order."""


@dataclass(frozen=True)
class NasBench101(FreeChoices):
    """The cells of NAS-Bench-101 in a network of ``stages``, each ``depth`` cells of ``width`` channels.

    Implements SearchSpace, Enumerable and CountedInBulk; not every row of choices is valid. Positions are the entries
    of the adjacency matrix's upper triangle, column by column, and then the operations of the vertices 1 to 5. The
    network built from a row is that of its canonical row, which is the one that the benchmark trained.
    """

    kind: ClassVar[str] = "nas_bench_101"
    sampler: ClassVar[str] = UNIFORM

    name: str
    input_shape: tuple[int, int, int]
    num_classes: int
    stem_width: int = STAGES[0].width
    stages: tuple[Stage, ...] = STAGES
    vertices: int = 7
    max_edges: int = 9

    operations: ClassVar[tuple[str, ...]] = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")

    @classmethod
    def of(cls, parameters: CellParameters, input_shape: tuple[int, int, int], num_classes: int) -> Self:
        """The network that ``parameters`` ask for."""
        return cls(parameters.preset, input_shape, num_classes, **fields_of(parameters))

    @property
    def cells(self) -> VertexCells:
        """The cells without their names."""
        return vertex_cells(self.vertices, self.max_edges, len(self.operations))

    @property
    def num_choices(self) -> tuple[int, ...]:
        return self.cells.num_choices

    @property
    def size(self) -> int:
        return self.cells.size

    @property
    def networks(self) -> int:
        return len(self.cells.canonical)

    def operation(self, position: int, choice: int) -> str:
        """What the index ``choice`` stands for at ``position``."""
        if position < len(self.cells.pairs):
            return ("no edge", "edge")[choice]
        return self.operations[choice]

    positions_title: ClassVar[str] = "edge of the cell (from-to) or vertex"
    twins_because: ClassVar[str] = (
        "cells compute the same if they differ in what leads nowhere, or in the order of their nodes alone"
    )
    canonical_form: ClassVar[str] = "Each network counts once, written as its canonical cell."

    def position_label(self, position: int) -> str:
        """The edge or the vertex that a position stands for: ``0-2``, ``2``."""
        if position < len(self.cells.pairs):
            source, target = self.cells.pairs[position]
            return f"{source}-{target}"
        return str(position - len(self.cells.pairs) + 1)

    # -- Choice matrices -------------------------------------------------------------------------------------------

    def validate(self, choices: ArrayLike) -> Choices:
        rows = choice_matrix(choices, self.num_choices, self.name)
        bad = np.flatnonzero(~self.cells.valid(rows))
        if len(bad):
            raise ArchatlasError(
                f"row {bad[0]}: a cell of {self.name} joins its input to its output and has at most {self.max_edges} "
                "edges on such paths"
            )
        return rows

    def sample(self, count: int, generator: np.random.Generator) -> Choices:
        if count > self.networks:
            raise ArchatlasError(f"{self.name} has {self.networks:,} networks, but {count:,} were asked for")
        return self.cells.canonical[generator.choice(self.networks, size=count, replace=False)]

    def mutate(self, choices: Choices, generator: np.random.Generator, probability: float | None = None) -> Choices:
        """As spaces of free choices do; a row that would be no cell is drawn again, and after some times stays."""
        rows = np.array(choices, dtype=np.int8)
        waiting = np.arange(len(rows))
        for _ in range(_MOST_MUTATIONS):
            drawn = super().mutate(choices[waiting], generator, probability)
            valid = self.cells.valid(drawn)
            rows[waiting[valid]] = drawn[valid]
            waiting = waiting[~valid]
            if not len(waiting):
                break
        return rows

    def crossover(self, first: Choices, second: Choices, generator: np.random.Generator) -> tuple[Choices, Choices]:
        """As spaces of free choices do; a child that would be no cell is its parent."""
        children = super().crossover(first, second, generator)
        return tuple(  # type: ignore[return-value]
            np.where(self.cells.valid(child)[:, None], child, parent)
            for child, parent in zip(children, (first, second), strict=True)
        )

    def enumerate_networks(self, start: int, stop: int) -> Choices:
        if not 0 <= start <= stop <= self.networks:
            raise ArchatlasError(f"`0 <= start <= stop <= {self.networks}` must hold, but got {start=}, {stop=}")
        return self.cells.canonical[start:stop]

    def canonicalise(self, choices: Choices) -> Choices:
        return self.cells.canonicalise(choices)

    def from_matrices(self, adjacency: ArrayLike, operations: ArrayLike) -> Choices:
        """Canonical rows of adjacency matrices ``[n, v, v]`` and words ``[n, v - 2]`` for the operations between.

        Raises:
            ArchatlasError: an unknown operation, or not a valid cell.
        """
        matrices, words = np.asarray(adjacency) > 0, np.asarray(operations, dtype=np.str_)
        known = words[..., None] == np.array(self.operations)
        if not known.any(axis=-1).all():
            unknown = words[~known.any(axis=-1)][0]
            raise ArchatlasError(f"the operations of {self.name} are {list(self.operations)}, but got {str(unknown)!r}")
        if np.tril(matrices).any():
            raise ArchatlasError(f"adjacency matrices of {self.name} must be upper triangular: edges point forwards")
        return self.canonicalise(self.validate(self.cells.rows(matrices, known.argmax(axis=-1))))

    # -- Names -----------------------------------------------------------------------------------------------------

    @cached_property
    def _name_layout(self) -> tuple[NDArray[np.uint8], Integers]:
        """A template such as ``" :0_ :00_o:000"`` and where each position's character stands in it."""
        template = b""
        edges: list[int] = []
        operations: list[int] = []
        for vertex in range(1, self.vertices):
            template += b"_" if vertex > 1 else b""
            operations += [len(template)]
            template += b"o:" if vertex == self.vertices - 1 else b" :"
            edges += range(len(template), len(template) + vertex)
            template += b" " * vertex
        return np.frombuffer(template, dtype=np.uint8), np.array([*edges, *operations[:-1]])

    @cached_property
    def _characters(self) -> list[NDArray[np.uint8]]:
        """What stands for the choices of each position."""
        edges, letters = np.frombuffer(b"01", dtype=np.uint8), np.frombuffer(_LETTERS, dtype=np.uint8)
        return [edges] * len(self.cells.pairs) + [letters] * self.cells.inner

    def names(self, choices: Choices) -> Names:
        """Vertex by vertex its operation and which vertices it reads: ``3:1_1:10_m:100_3:1000_3:00001_o:011101``."""
        template, places = self._name_layout
        text = np.tile(template, (len(choices), 1))
        for position, (place, characters) in enumerate(zip(places, self._characters, strict=True)):
            text[:, place] = characters[choices[:, position]]
        names: Names = np.ascontiguousarray(text).view(f"S{len(template)}")[:, 0].astype(np.str_)
        return names

    def parse(self, names: ArrayLike) -> Choices:
        template, places = self._name_layout
        given = np.atleast_1d(np.asarray(names, dtype=np.str_))
        odd = [name for name in given.tolist() if len(name) != len(template) or not name.isascii()]
        if odd:
            raise self._bad_name(odd[0])
        text = np.frombuffer(given.astype(f"S{len(template)}").tobytes(), np.uint8).reshape(-1, len(template))
        choices = np.full((len(given), len(places)), -1, dtype=np.int8)
        for position, (place, characters) in enumerate(zip(places, self._characters, strict=True)):
            for choice, character in enumerate(characters):
                choices[text[:, place] == character, position] = choice
        fixed = np.setdiff1d(np.arange(len(template)), places)
        bad = np.flatnonzero((choices < 0).any(axis=1) | (text[:, fixed] != template[fixed]).any(axis=1))
        if len(bad):
            raise self._bad_name(str(given[bad[0]]))
        return self.validate(choices)

    def _bad_name(self, name: str) -> ArchatlasError:
        path = np.eye(self.vertices, k=1, dtype=np.bool_)[None]
        example = self.names(self.cells.rows(path, np.zeros((1, self.cells.inner), dtype=np.int8)))[0]
        return ArchatlasError(
            f"{name!r} is not the name of an architecture of {self.name}; names look like {str(example)!r}"
        )

    # -- Graphs ----------------------------------------------------------------------------------------------------

    @property
    def graph_features(self) -> tuple[str, ...]:
        return ("input", "output", *(f"operation_{operation}" for operation in self.operations), "width")

    def graphs(self, choices: Choices, *, canonical: bool = False) -> ArchitectureGraphs:
        """The canonical cell's vertices; ``width`` is a vertex's part of the output's channels."""
        rows = choices if canonical else self.canonicalise(choices)
        adjacency = self.cells.adjacency(rows)
        mask = self.cells.used(adjacency)
        features = np.zeros((*mask.shape, len(self.graph_features)), dtype=np.float32)
        features[:, 0, 0] = features[:, -1, 1] = 1
        graph, inner = np.nonzero(mask[:, 1:-1])
        features[graph, inner + 1, 2 + rows[graph, len(self.cells.pairs) + inner]] = 1
        features[:, 1:, -1] = self.channels(rows, self.stages[0].width)[:, 1:] / self.stages[0].width
        return ArchitectureGraphs(features, adjacency, mask)

    def channels(self, canonical: Choices, width: int) -> Integers:
        """Channels of each vertex of canonical rows in a cell of ``width`` channels, ``[n, v]``.

        The input's and unused vertices' are given as 0.
        """
        adjacency = self.cells.adjacency(canonical)
        to_output = adjacency[:, 1:-1, -1].astype(np.int64)
        share, rest = np.divmod(width, np.maximum(to_output.sum(axis=1), 1))
        channels = np.zeros((len(canonical), self.vertices), dtype=np.int64)
        channels[:, -1] = width
        channels[:, 1:-1] = to_output * (share[:, None] + (np.cumsum(to_output, axis=1) <= rest[:, None]))
        for vertex in reversed(range(1, self.vertices - 1)):
            widest = (channels[:, 1:-1] * adjacency[:, vertex, 1:-1]).max(axis=1)
            channels[:, vertex] = np.where(to_output[:, vertex - 1] > 0, channels[:, vertex], widest)
        return channels

    # -- Costs -----------------------------------------------------------------------------------------------------

    def counted_costs(self, choices: Choices) -> dict[str, Integers]:
        """MACs (of one image) and parameters of each row's network, ``[n]``."""
        rows = self.canonicalise(choices)
        reads_input = self.cells.adjacency(rows)[:, 0].astype(np.int64)
        kernels = np.array([9, 1, 0])[rows[:, len(self.cells.pairs) :]]
        image, *size = self.input_shape
        area = size[0] * size[1]
        macs = np.full(len(rows), 9 * image * self.stem_width * area, dtype=np.int64)
        params = np.full(len(rows), (9 * image + 2) * self.stem_width, dtype=np.int64)
        before = self.stem_width
        for stage in self.stages:
            size = [-(-side // stage.stride) for side in size]
            area = size[0] * size[1]
            channels = self.channels(rows, stage.width)
            inner = channels[:, 1:-1]
            norms = 2 * ((inner * (kernels > 0)).sum(axis=1) + (channels * reads_input).sum(axis=1))
            own = (kernels * inner**2).sum(axis=1)
            for number in range(stage.depth):
                weights = own + (stage.width if number else before) * (channels * reads_input).sum(axis=1)
                macs += weights * area
                params += weights + norms
            before = stage.width
        return {"macs": macs + before * self.num_classes, "params": params + (before + 1) * self.num_classes}

    # -- Modules ---------------------------------------------------------------------------------------------------

    def build(self, choices: ArrayLike) -> nn.Module:
        from torch import nn

        from archatlas.networks.blocks import Chain, ConvNorm, Head

        row = self.canonicalise(self.validate(np.atleast_2d(np.asarray(choices))))
        blocks: list[nn.Module] = []
        before = self.stem_width
        for stage in self.stages:
            if stage.stride == 2:
                blocks.append(nn.MaxPool2d(2, ceil_mode=True))
            for _ in range(stage.depth):
                blocks.append(self._make_cell(row, before, stage.width))
                before = stage.width
        return Chain(ConvNorm(self.input_shape[0], self.stem_width, 3), blocks, Head(before, 0, self.num_classes))

    def _make_cell(self, row: Choices, in_width: int, width: int) -> nn.Module:
        from archatlas.networks.cells import VertexCell

        adjacency = self.cells.adjacency(row)[0]
        kept = np.flatnonzero(self.cells.used(adjacency[None])[0])
        channels = self.channels(row, width)[0]
        widths = channels[kept[1:]].tolist()
        operations = [
            self._make_operation(int(row[0, len(self.cells.pairs) + vertex - 1]), int(channels[vertex]))
            for vertex in kept[1:-1]
        ]
        readers = [np.flatnonzero(adjacency[:, vertex]).tolist() for vertex in kept[1:]]
        return VertexCell(in_width, widths, readers, operations)

    def _make_operation(self, choice: int, width: int) -> nn.Module:
        from torch import nn

        from archatlas.networks.blocks import ConvNorm

        match self.operations[choice]:
            case "maxpool3x3":
                return nn.MaxPool2d(3, stride=1, padding=1)
            case "conv1x1-bn-relu":
                return ConvNorm(width, width, 1)
            case _:
                return ConvNorm(width, width, 3)
