"""Chains of MBConv blocks: at each position a kernel and an expansion, or a skip.

Moving an identity within a run of positions of one shape changes the name and not the network, so a run is described
by which blocks it holds, in which order: its canonical form has the identities last. A space is a product of runs, and
every network has a number in a mixed-radix system whose digits are the runs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from archatlas.errors import ArchatlasError
from archatlas.graphs.architecture_graphs import ArchitectureGraphs
from archatlas.spaces.chain_names import ChainSpelling
from archatlas.spaces.chain_parts import Operation, Placings, Position, Run, Stage
from archatlas.spaces.protocol import UNIFORM, Choices, Names, choice_matrix
from archatlas.spaces.variation import FreeChoices

if TYPE_CHECKING:
    from torch import nn

    from archatlas.networks.counting import ModuleCost


_MOST_NUMBERED = 2**62
"""Larger numbers are drawn digit by digit: NumPy's have 64 bits."""


def _below(count: int, generator: np.random.Generator) -> int:
    """A uniform integer below ``count``, of any size."""
    if count <= _MOST_NUMBERED:
        return int(generator.integers(count))
    bits = count.bit_length()
    while True:
        number = int.from_bytes(generator.bytes(-(-bits // 8)), "little") >> (-bits % 8)
        if number < count:
            return number


@dataclass(frozen=True)
class ChainSpace(FreeChoices):
    """A stem, ``stages`` of positions that each hold one of ``operations``, and a head.

    Implements SearchSpace, Enumerable, HasTwins, HasSkips, Described and PrefixShared. ``skip`` says what happens to a
    skip at a position that changes the shape: it is not offered there, or it becomes a strided 1x1 projection (as
    NAS-Bench-Macro has it). ``tokens`` names the operations; by default their own notation.
    """

    kind: ClassVar[str] = "chain"
    sampler: ClassVar[str] = UNIFORM

    name: str
    input_shape: tuple[int, int, int]
    num_classes: int
    stem_width: int
    stages: tuple[Stage, ...]
    operations: tuple[Operation, ...]
    stem_stride: Literal[1, 2] = 1
    stem_block_width: int = 0
    head_width: int = 0
    skip: Literal["where_shape_allows", "project"] = "where_shape_allows"
    squeeze_excitation: bool = False
    activation: Literal["relu", "relu6", "hard_swish"] = "relu"
    tokens: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        if len(set(self.operations)) < len(self.operations):
            raise ArchatlasError(f"`space.choices` must differ, but got {[str(o) for o in self.operations]}")
        if all(operation.is_skip for operation in self.operations):
            raise ArchatlasError("`space.choices` must hold at least one block such as k3e3 beside skip")
        if not self.tokens:
            object.__setattr__(self, "tokens", tuple(str(operation) for operation in self.operations))

    # -- Shape of the space ----------------------------------------------------------------------------------------

    @cached_property
    def _positions(self) -> tuple[Position, ...]:
        positions: list[Position] = []
        width, height, breadth = self._stem_shape
        for stage_index, stage in enumerate(self.stages):
            for depth in range(stage.depth):
                stride = stage.stride if depth == 0 else 1
                keeps_shape = stride == 1 and width == stage.width
                offered = tuple(o for o in self.operations if keeps_shape or self.skip == "project" or not o.is_skip)
                positions.append(Position((width, height, breadth), stage.width, stride, stage_index, offered))
                width, height, breadth = stage.width, -(-height // stride), -(-breadth // stride)
        return tuple(positions)

    @property
    def _stem_shape(self) -> tuple[int, int, int]:
        _, height, breadth = self.input_shape
        stride = self.stem_stride
        return self.stem_block_width or self.stem_width, -(-height // stride), -(-breadth // stride)

    @cached_property
    def _runs(self) -> tuple[Run, ...]:
        runs: list[Run] = []
        start = 0
        while start < len(self._positions):
            first = self._positions[start]
            skip = self.skips[start] if first.keeps_shape else None
            stop = start + 1
            while skip is not None and stop < len(self._positions) and self._joins(first, self._positions[stop]):
                stop += 1
            blocks = [index for index in range(len(first.operations)) if index != skip]
            runs.append(Run(start, stop, skip, np.array(blocks, dtype=np.int8)))
            start = stop
        return tuple(runs)

    @staticmethod
    def _joins(first: Position, other: Position) -> bool:
        return other.keeps_shape and other.in_shape == first.in_shape and other.operations == first.operations

    @cached_property
    def num_choices(self) -> tuple[int, ...]:
        return tuple(len(position.operations) for position in self._positions)

    @cached_property
    def skips(self) -> tuple[int | None, ...]:
        return tuple(
            next((index for index, operation in enumerate(position.operations) if operation.is_skip), None)
            for position in self._positions
        )

    @property
    def size(self) -> int:
        return math.prod(self.num_choices)

    @property
    def networks(self) -> int:
        return math.prod(run.networks for run in self._runs)

    def operation(self, position: int, choice: int) -> Operation:
        """What the index ``choice`` stands for at ``position``."""
        return self._positions[position].operations[choice]

    def stage_of(self, position: int) -> int:
        """Index of the stage that holds the position."""
        return self._positions[position].stage

    positions_title: ClassVar[str] = "position (stage.place)"
    twins_because: ClassVar[str] = "a chain computes the same wherever within a stage a skip stands"
    canonical_form: ClassVar[str] = (
        "Skips are written last in a stage, so a skip there means that the stage has at least one."
    )

    def position_label(self, position: int) -> str:
        """Stage and place in it, counted from 1: ``2.3``."""
        stage = self.stage_of(position)
        first = next(other for other in range(position + 1) if self.stage_of(other) == stage)
        return f"{stage + 1}.{position - first + 1}"

    # -- Spaces like this one --------------------------------------------------------------------------------------

    def scaled(self, multiplier: float, divisor: int = 1) -> ChainSpace:
        """The same chains with every width times ``multiplier``, to the nearest multiple of ``divisor`` but 0."""

        def times(width: int) -> int:
            return max(divisor, math.floor(width * multiplier / divisor + 0.5) * divisor) if width else 0

        if multiplier == 1:
            return self
        return replace(
            self,
            stem_width=times(self.stem_width),
            stem_block_width=times(self.stem_block_width),
            head_width=times(self.head_width),
            stages=tuple(replace(stage, width=times(stage.width)) for stage in self.stages),
        )

    def seen_at(self, image_size: int) -> ChainSpace:
        """The same chains for square images of another size, pixels."""
        return replace(self, input_shape=(self.input_shape[0], image_size, image_size))

    # -- Choice matrices -------------------------------------------------------------------------------------------

    def validate(self, choices: ArrayLike) -> Choices:
        return choice_matrix(choices, self.num_choices, self.name)

    def sample(self, count: int, generator: np.random.Generator) -> Choices:
        if count > self.networks:
            raise ArchatlasError(f"{self.name} has {self.networks:,} networks, but {count:,} were asked for")
        if self.networks <= 10_000_000:
            return self.decode(generator.choice(self.networks, size=count, replace=False))
        rows = np.empty((0, len(self.num_choices)), dtype=np.int8)
        while len(rows) < count:
            fresh = [run.draw(count, generator) for run in self._runs]
            rows = np.vstack([rows, np.concatenate(fresh, axis=1)])
            _, first = np.unique(rows, axis=0, return_index=True)
            rows = rows[np.sort(first)]
        return rows[:count]

    def enumerate_networks(self, start: int, stop: int) -> Choices:
        if not 0 <= start <= stop <= self.networks:
            raise ArchatlasError(f"`0 <= start <= stop <= {self.networks}` must hold, but got {start=}, {stop=}")
        return self.decode(np.arange(start, stop, dtype=np.int64))

    def decode(self, numbers: NDArray[np.int64]) -> Choices:
        """Canonical rows of the networks of these numbers, in the order of ``enumerate_networks``."""
        parts: list[Choices] = []
        rest = numbers
        for run in reversed(self._runs):
            rest, digit = np.divmod(rest, run.networks)
            parts.append(run.decode(digit))
        return np.concatenate(parts[::-1], axis=1)

    def canonicalise(self, choices: Choices) -> Choices:
        rows = np.array(choices, dtype=np.int8)
        for run in self._runs:
            if run.skip is not None:
                part = rows[:, run.start : run.stop]
                order = np.argsort(part == run.skip, axis=1, kind="stable")
                rows[:, run.start : run.stop] = np.take_along_axis(part, order, axis=1)
        return rows

    def twins(self, choices: ArrayLike) -> Choices:
        ways = self._ways(choices)
        return self._spelled(ways, range(math.prod(one.count for one in ways)))

    def draw_twins(self, choices: ArrayLike, count: int, generator: np.random.Generator) -> Choices:
        ways = self._ways(choices)
        total = math.prod(one.count for one in ways)
        if total <= _MOST_NUMBERED:
            return self._spelled(ways, generator.choice(total, size=min(count, total), replace=False).tolist())
        drawn: dict[int, None] = {}
        while len(drawn) < count:
            number = 0
            for one in ways:
                number = number * one.count + _below(one.count, generator)
            drawn[number] = None
        return self._spelled(ways, drawn)

    def _ways(self, choices: ArrayLike) -> list[Placings]:
        """Of each run, the ways to place its blocks."""
        row = self.canonicalise(self.validate(np.atleast_2d(np.asarray(choices))))[0]
        return [Placings.of(run, row[run.start : run.stop]) for run in self._runs]

    def _spelled(self, ways: Sequence[Placings], numbers: Iterable[int]) -> Choices:
        """The spellings of these numbers, whose digits are those of the runs."""
        spelled = []
        for number in numbers:
            parts, rest = [], number
            for one in reversed(ways):
                rest, digit = divmod(rest, one.count)
                parts.append(one[digit])
            spelled.append(np.concatenate(parts[::-1]))
        return np.array(spelled, dtype=np.int8)

    # -- Segments --------------------------------------------------------------------------------------------------

    def segment_networks(self, start: int, stop: int) -> int:
        return math.prod(run.networks for run in self._runs_within(start, stop))

    def segment_rows(self, start: int, stop: int) -> Choices:
        rows = np.zeros((1, 0), dtype=np.int8)
        for run in self._runs_within(start, stop):
            forms = run.decode(np.arange(run.networks))
            rows = np.concatenate([np.repeat(rows, len(forms), axis=0), np.tile(forms, (len(rows), 1))], axis=1)
        return rows

    def continued_identity(self, position: int) -> int | None:
        run = next(run for run in self._runs if run.start <= position < run.stop)
        return None if run.start == position else run.skip

    def _runs_within(self, start: int, stop: int) -> list[Run]:
        """Runs cut to positions ``start`` to ``stop``."""
        if not 0 <= start <= stop <= len(self._positions):
            raise ArchatlasError(
                f"`0 <= start <= stop <= {len(self._positions)}` must hold for a segment of {self.name}, but got "
                f"{start=}, {stop=}"
            )
        cut = [replace(run, start=max(run.start, start), stop=min(run.stop, stop)) for run in self._runs]
        return [run for run in cut if run.start < run.stop]

    # -- Names -----------------------------------------------------------------------------------------------------

    @cached_property
    def _spelling(self) -> ChainSpelling:
        return ChainSpelling.of(self._positions, dict(zip(self.operations, self.tokens, strict=True)))

    def names(self, choices: Choices) -> Names:
        return self._spelling.names(choices)

    def parse(self, names: ArrayLike) -> Choices:
        given = np.atleast_1d(np.asarray(names, dtype=np.str_))
        choices = self._spelling.parse(given)
        bad = np.flatnonzero((choices < 0).any(axis=1))
        if len(bad):
            example = str(self.names(self.decode(np.zeros(1, dtype=np.int64)))[0])
            raise ArchatlasError(
                f"{str(given[bad[0]])!r} is not the name of an architecture of {self.name}; names look like {example!r}"
            )
        return choices

    # -- Graphs ----------------------------------------------------------------------------------------------------

    @cached_property
    def graph_features(self) -> tuple[str, ...]:
        return (
            "input",
            "output",
            *(f"operation_{operation}" for operation in self.operations),
            *(f"stage_{stage}" for stage in range(len(self.stages))),
            "kernel",
            "expansion",
            "stride",
            "in_width",
            "out_width",
            "resolution",
            "log_macs",
        )

    @cached_property
    def _node_features(self) -> list[NDArray[np.float32]]:
        """One table ``[choices, f]`` per position."""
        return [
            np.stack([self._features_of(position, choice) for choice in range(count)])
            for position, count in enumerate(self.num_choices)
        ]

    def _features_of(self, position: int, choice: int) -> NDArray[np.float32]:
        place = self._positions[position]
        operation = place.operations[choice]
        width, height, _ = place.in_shape
        widest = max(self.stem_width, *(stage.width for stage in self.stages))
        values = {
            f"operation_{operation}": 1.0,
            f"stage_{place.stage}": 1.0,
            "kernel": operation.kernel / 7,
            "expansion": operation.expansion / 6,
            "stride": place.stride - 1.0,
            "in_width": width / widest,
            "out_width": place.out_width / widest,
            "resolution": height / self.input_shape[1],
            "log_macs": math.log10(1 + self.block_cost(position, choice).macs) / 8,
        }
        return np.array([values.get(name, 0.0) for name in self.graph_features], dtype=np.float32)

    def graphs(self, choices: Choices, *, canonical: bool = False) -> ArchitectureGraphs:
        """Input, one node per block that computes something, output; nodes of identities are masked out."""
        rows = choices if canonical else self.canonicalise(choices)
        count, positions = rows.shape
        features = np.zeros((count, positions + 2, len(self.graph_features)), dtype=np.float32)
        mask = np.ones((count, positions + 2), dtype=np.bool_)
        features[:, 0, self.graph_features.index("input")] = 1
        features[:, -1, self.graph_features.index("output")] = 1
        for position, table in enumerate(self._node_features):
            features[:, position + 1] = table[rows[:, position]]
        for run in self._runs:
            if run.skip is not None:
                mask[:, run.start + 1 : run.stop + 1] = rows[:, run.start : run.stop] != run.skip
        features[~mask] = 0
        nodes = np.arange(positions + 2)
        before = np.maximum.accumulate(np.where(mask, nodes, 0), axis=1)[:, :-1]
        adjacency = np.zeros((count, positions + 2, positions + 2), dtype=np.bool_)
        graph, node = np.nonzero(mask[:, 1:])
        adjacency[graph, before[graph, node], node + 1] = True
        return ArchitectureGraphs(features, adjacency, mask)

    # -- Modules ---------------------------------------------------------------------------------------------------

    def block_input_shape(self, position: int) -> tuple[int, int, int]:
        if position < len(self._positions):
            return self._positions[position].in_shape
        last = self._positions[-1]
        _, height, breadth = last.in_shape
        return last.out_width, -(-height // last.stride), -(-breadth // last.stride)

    def block_cost(self, position: int, choice: int) -> ModuleCost:
        """Counted MACs (per image) and parameters of one block."""
        from archatlas.networks.counting import count_module

        return count_module(lambda: self.make_block(position, choice), self.block_input_shape(position))

    def make_stem(self) -> nn.Module:
        from torch import nn

        from archatlas.networks.blocks import ConvNorm, MBConv

        stem = ConvNorm(self.input_shape[0], self.stem_width, 3, self.stem_stride, activation=self.activation)
        if not self.stem_block_width:
            return stem
        block = MBConv(self.stem_width, self.stem_block_width, kernel=3, expansion=1, activation=self.activation)
        return nn.Sequential(stem, block)

    def make_block(self, position: int, choice: int) -> nn.Module:
        from torch import nn

        from archatlas.networks.blocks import ConvNorm, MBConv

        place = self._positions[position]
        operation = place.operations[choice]
        width = place.in_shape[0]
        if operation.is_skip:
            if place.keeps_shape:
                return nn.Identity()
            return ConvNorm(width, place.out_width, 1, place.stride, activation=None)
        return MBConv(
            width,
            place.out_width,
            kernel=operation.kernel,
            expansion=operation.expansion,
            stride=place.stride,
            squeeze_excitation=self.squeeze_excitation,
            activation=self.activation,
        )

    def make_head(self) -> nn.Module:
        from archatlas.networks.blocks import Head

        width = self.block_input_shape(len(self._positions))[0]
        return Head(width, self.head_width, self.num_classes, self.activation)

    def build(self, choices: ArrayLike) -> nn.Module:
        from archatlas.networks.blocks import Chain

        row = self.validate(np.atleast_2d(np.asarray(choices)))[0]
        blocks = [self.make_block(position, int(choice)) for position, choice in enumerate(row)]
        return Chain(self.make_stem(), blocks, self.make_head())
