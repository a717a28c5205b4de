"""Freely wired cells: what SwiftNet (Cheng et al., arXiv 1906.08305) and NASGEM (arXiv 2007.04452) search.

A network is a stem, a few cells with wirings of their own, and a head. A cell has some ordered vertices, half of them
1x1 convolutions and half separable 3x3 convolutions, shuffled once by a seed; any vertex may read the cell's input and
any vertex before it. What is chosen are these edges alone: with 30 vertices 465 of each cell, so that nothing here
counts, lists or scores all networks. What a wiring is, and which are twins, is told in ``spaces/wiring.py`` and
``spaces/wiring_twins.py``. How a cell computes was read off a released SwiftNet; see ``networks/wired.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from archatlas.errors import ArchatlasError
from archatlas.graphs.architecture_graphs import ArchitectureGraphs
from archatlas.graphs.hashing import mix
from archatlas.spaces import wired_names, wiring, wiring_variation
from archatlas.spaces.protocol import Choices, FewerNetworksError, Names, choice_matrix
from archatlas.spaces.wired_frame import OPERATIONS, CellShape, Steps, WiredFrame
from archatlas.spaces.wired_parameters import MIN_USED_VERTICES, VERTICES, WiredCellParameters
from archatlas.spaces.wiring_twins import canonical

if TYPE_CHECKING:
    from torch import nn

_DRAWS, _MOST_IDLE = 50, 10_000
"""Rounds of as many draws as networks are asked for; draws in a row without a new one, after which none is sought."""


@dataclass(frozen=True)
class WiredCells(WiredFrame):
    """Cells of any wiring: one position for each edge (cell, source, target) of their complete DAGs.

    Implements SearchSpace, Described and CountedInBulk. A row is valid if the input of each cell reaches at least
    ``min_used_vertices`` of its vertices.
    """

    kind: ClassVar[str] = "wired_cells"
    sampler: ClassVar[str] = "stratified by the number of used vertices"

    @classmethod
    def of(cls, parameters: WiredCellParameters, input_shape: tuple[int, int, int], num_classes: int) -> Self:
        """The cells that ``parameters`` ask for."""
        given = parameters.model_dump(exclude={"preset"}, exclude_none=True)
        vertices, seed = given.pop("vertices", VERTICES), given.pop("operations_seed", 0)
        shapes = given.pop("cells", _CELLS)
        cells = tuple(CellShape(_shuffled(vertices, seed, cell), **shape) for cell, shape in enumerate(shapes))
        fewest = given.pop("min_used_vertices", min(MIN_USED_VERTICES, vertices))
        return cls(parameters.preset, input_shape, num_classes, cells, fewest, **given)

    # -- Positions -------------------------------------------------------------------------------------------------

    @cached_property
    def edges(self) -> tuple[tuple[int, int, int], ...]:
        """Cell, source and target of each position, cells from 0 and vertices from 1; the source 0 is the input."""
        pairs = wiring.pairs(self.vertices)
        return tuple((cell, source, target) for cell in range(len(self.cells)) for source, target in pairs)

    @property
    def num_choices(self) -> tuple[int, ...]:
        return (2,) * len(self.edges)

    positions_title: ClassVar[str] = "edge (cell: from-to)"
    twins_because: ClassVar[str] = (
        "cells compute the same if they differ in what their input does not reach, or in the order of vertices alone"
    )
    canonical_form: ClassVar[str] = "Each network counts once, its used vertices as far to the front as they can stand."

    def position_label(self, position: int) -> str:
        """The edge that a position stands for: ``1: in-3``."""
        cell, source, target = self.edges[position]
        return f"{cell + 1}: {source or 'in'}-{target}"

    def operation(self, position: int, choice: int) -> str:
        """What the index ``choice`` stands for (at every position alike)."""
        return ("no edge", "edge")[choice]

    # -- Wirings ---------------------------------------------------------------------------------------------------

    def reads(self, choices: Choices) -> list[wiring.Sets]:
        """Of each cell, pruned, what each vertex reads, ``[n, 1 + vertices]`` (``spaces/wiring.py``)."""
        parts = np.split(choices, len(self.cells), axis=1)
        return [wiring.prune(wiring.reads_of(part, self.vertices)) for part in parts]

    def rows(self, reads: list[wiring.Sets]) -> Choices:
        """Inverse of ``reads``."""
        return np.concatenate([wiring.rows_of(of_cell) for of_cell in reads], axis=1)

    def used(self, choices: Choices) -> NDArray[np.int64]:
        """How many vertices each cell's input reaches, ``[n, cells]``."""
        return np.stack([wiring.count(wiring.used(reads)) - 1 for reads in self.reads(choices)], axis=1)

    def valid(self, choices: Choices) -> NDArray[np.bool_]:
        """Whether every cell uses enough vertices, bool ``[n]``."""
        enough: NDArray[np.bool_] = np.all(self.used(choices) >= self.min_used_vertices, axis=1)
        return enough

    def validate(self, choices: ArrayLike) -> Choices:
        rows = choice_matrix(choices, self.num_choices, self.name)
        bad = np.argwhere(self.used(rows) < self.min_used_vertices)
        if len(bad):
            row, cell = bad[0]
            raise ArchatlasError(
                f"row {row}: the input of each cell of {self.name} reaches at least {self.min_used_vertices} vertices, "
                f"but of cell {cell + 1} only {self.used(rows[row : row + 1])[0, cell]}: add edges, or lower "
                "`space.min_used_vertices`"
            )
        return rows

    def canonicalise(self, choices: Choices) -> Choices:
        return self.rows(
            [canonical(reads, cell.kinds) for reads, cell in zip(self.reads(choices), self.cells, strict=True)]
        )

    def sample(self, count: int, generator: np.random.Generator) -> Choices:
        """``count`` distinct networks, the cells of each drawn by ``wiring.draw``."""
        found: Choices = np.zeros((0, len(self.num_choices)), dtype=np.int8)
        tried = idle = 0
        while True:
            drawn = [wiring.draw(count, self.vertices, self.min_used_vertices, generator) for _ in self.cells]
            known = len(found)
            found = np.concatenate([found, self.canonicalise(self.rows(drawn))])
            _, first = np.unique(np.packbits(found, axis=1), axis=0, return_index=True)
            found = found[np.sort(first)]
            if len(found) >= count:
                return found[:count]
            tried, idle = tried + count, 0 if len(found) > known else idle + count
            if tried >= _DRAWS * count or idle >= _MOST_IDLE:
                raise FewerNetworksError(
                    f"{tried:,} draws from {self.name} gave {len(found):,} different networks, fewer than {count:,} "
                    "asked for: ask for fewer, or give cells more vertices (`space.vertices`)",
                    found,
                )

    # -- Variation -------------------------------------------------------------------------------------------------

    def mutate(self, choices: Choices, generator: np.random.Generator, probability: float | None = None) -> Choices:
        """Each edge goes with ``probability`` (None: one over the edges), and as many new ones are expected to come.

        Before, vertices move to other places in the order as far as edges let them, so that there is room between them.
        """
        return wiring_variation.mutate(self, choices, generator, probability)

    def crossover(self, first: Choices, second: Choices, generator: np.random.Generator) -> tuple[Choices, Choices]:
        """What each vertex reads goes to the two children or changes places, with even odds.

        Where the input of a child's cell would reach too few vertices, the parent stands in its place.
        """
        return wiring_variation.crossover(self, first, second, generator)

    def neighbours(self, choices: ArrayLike) -> Choices:
        """The networks that one edge more or less gives, each once, canonical, without the row's own."""
        return wiring_variation.neighbours(self, choices)

    # -- Names -----------------------------------------------------------------------------------------------------

    def names(self, choices: Choices) -> Names:
        """Cell by cell each vertex and before it what it reads: ``0:1-0.1:4_0:2``; 0 is the cell's input."""
        return wired_names.spell(choices, len(self.cells), self.vertices)

    def parse(self, names: ArrayLike) -> Choices:
        return self.validate(wired_names.parse(names, len(self.cells), self.vertices, self.name))

    # -- Graphs ----------------------------------------------------------------------------------------------------

    @property
    def graph_features(self) -> tuple[str, ...]:
        return ("input", "output", "join", *(f"operation_{operation}" for operation in OPERATIONS), "cell")

    def graphs(self, choices: Choices, *, canonical: bool = False) -> ArchitectureGraphs:
        """The input, and for each cell its vertices and what joins its sinks and its input: the next cell's input.

        The last join is the output. ``cell`` is the share of cells that a node has behind it, its own included.
        """
        rows = choices if canonical else self.canonicalise(choices)
        vertices, step = self.vertices, self.vertices + 1
        nodes = 1 + len(self.cells) * step
        features = np.zeros((len(rows), nodes, len(self.graph_features)), dtype=np.float32)
        adjacency = np.zeros((len(rows), nodes, nodes), dtype=np.bool_)
        mask = np.ones((len(rows), nodes), dtype=np.bool_)
        features[:, 0, 0] = features[:, -1, 1] = 1
        for number, (reads, cell) in enumerate(zip(self.reads(rows), self.cells, strict=True)):
            start, join = number * step, (number + 1) * step
            own = slice(start, join)
            held, sunk = wiring.members(wiring.used(reads), vertices), wiring.members(wiring.sinks(reads), vertices)
            adjacency[:, own, own] = wiring.members(reads, vertices).swapaxes(1, 2)
            adjacency[:, own, join] = sunk
            adjacency[:, start, join] = True
            mask[:, own] = held
            inner = slice(start + 1, join)
            features[:, inner, 3 : 3 + len(OPERATIONS)] = np.eye(len(OPERATIONS))[cell.kinds] * held[:, 1:, None]
            features[:, inner, -1] = held[:, 1:] * (number + 1) / len(self.cells)
            features[:, join, 2], features[:, join, -1] = 1, (number + 1) / len(self.cells)
        return ArchitectureGraphs(features, adjacency, mask)

    # -- Costs -----------------------------------------------------------------------------------------------------

    def counted_costs(self, choices: Choices) -> dict[str, NDArray[np.int64]]:
        """MACs (of one image) and parameters of each row's network, ``[n]``."""
        image, height, width = self.input_shape
        area = -(-height // self.stem_stride) * -(-width // self.stem_stride)
        stem = image * self.stem_kernel**2 * self.stem_width
        norms = self.stem_width
        if self.stem_block_width:
            stem += (9 + self.stem_block_width) * self.stem_width
            norms += self.stem_width + self.stem_block_width
        macs = np.full(len(choices), stem * area, dtype=np.int64)
        params = np.full(len(choices), stem + 2 * norms, dtype=np.int64)
        before = self.stem_out_width
        for reads, cell, area in zip(self.reads(choices), self.cells, self.areas(), strict=True):
            channels = wiring.count(reads & ~wiring.bit(0)) * cell.width
            channels += np.where((reads & wiring.bit(0)) != 0, before, 0)
            separable = channels[:, 1:] * (cell.kinds == 1)
            joined = wiring.count(wiring.sinks(reads)) * cell.width + before
            weights = cell.width * channels.sum(axis=1) + 9 * separable.sum(axis=1) + cell.out_width * joined
            of_norms = separable.sum(axis=1) + cell.width * (reads != 0).sum(axis=1) + 2 * cell.out_width
            macs += weights * area
            params += weights + 2 * of_norms
            before = cell.out_width
        return {"macs": macs + before * self.num_classes, "params": params + (before + 1) * self.num_classes}

    # -- Modules ---------------------------------------------------------------------------------------------------

    def schedule(self, choices: ArrayLike) -> list[Steps]:
        """What each cell of one row computes."""
        rows = self.validate(np.atleast_2d(np.asarray(choices)))
        return [
            [
                (vertex, np.flatnonzero(read).tolist())
                for vertex, read in enumerate(wiring.members(reads[0], self.vertices))
                if read.any()
            ]
            for reads in self.reads(rows)
        ]

    def build(self, choices: ArrayLike) -> nn.Module:
        from archatlas.networks.blocks import Chain

        blocks: list[nn.Module] = []
        for cell, steps in enumerate(self.schedule(choices)):
            pool = self.make_pool(cell)
            blocks += [] if pool is None else [pool]
            blocks.append(self.make_cell(cell, steps))
        return Chain(self.make_stem(), blocks, self.make_head())


_CELLS = ({"width": 12, "out_width": 24, "pool": False}, {"width": 16, "out_width": 48, "pool": True})
"""For images of 8 x 8."""


def _shuffled(vertices: int, seed: int, cell: int) -> str:
    """A digit for each vertex of a cell: half of them 0, half 1 (one more 0 where the number is odd), in any order."""
    keys = mix(mix(mix(np.uint64(seed)) + np.uint64(cell)) + np.arange(vertices).astype(np.uint64))
    operations = np.arange(vertices) % 2
    return "".join(map(str, operations[np.argsort(keys)]))
