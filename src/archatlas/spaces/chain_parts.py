"""What chains are made of: operations, stages, positions, and runs of positions within which identities may move."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from archatlas.errors import ArchatlasError
from archatlas.spaces.parameters import SpaceParameters
from archatlas.spaces.protocol import Choices


@dataclass(frozen=True)
class Operation:
    """What stands at a position: an MBConv of ``kernel`` and ``expansion``, or (kernel 0) a skip."""

    kernel: int
    expansion: int

    @classmethod
    def parse(cls, text: str) -> Operation:
        """From ``"k5e6"`` or ``"skip"``."""
        if text == "skip":
            return cls(0, 0)
        kernel, expansion = int(text[1]), int(text[3])
        if kernel % 2 == 0:
            raise ArchatlasError(f"`space.choices`: kernels must be odd, but got {text!r}; write k3e6, k5e6, ...")
        return cls(kernel, expansion)

    @property
    def is_skip(self) -> bool:
        return self.kernel == 0

    def __str__(self) -> str:
        return "skip" if self.is_skip else f"k{self.kernel}e{self.expansion}"


@dataclass(frozen=True)
class Stage:
    """``depth`` positions of ``width`` channels; the first has ``stride``."""

    width: int
    depth: int
    stride: Literal[1, 2]


@dataclass(frozen=True)
class Position:
    """A place in the chain: what comes in (channels, height, width), what goes out, and what may stand there."""

    in_shape: tuple[int, int, int]
    out_width: int
    stride: int
    stage: int
    operations: tuple[Operation, ...]

    @property
    def keeps_shape(self) -> bool:
        return self.stride == 1 and self.in_shape[0] == self.out_width


@dataclass(frozen=True)
class Run:
    """Positions ``start`` to ``stop`` of one shape and one set of choices, among which a skip is an identity.

    With ``m`` blocks to choose from and ``L`` positions the run computes ``1 + m + ... + m^L`` different things. They
    are numbered by how many blocks there are, then by the blocks read as digits. A run without identity has ``m^L``.
    """

    start: int
    stop: int
    skip: int | None
    blocks: NDArray[np.int8]

    @property
    def length(self) -> int:
        return self.stop - self.start

    @cached_property
    def first_of_length(self) -> list[int]:
        """Number of the first canonical form with k blocks, k from ``least`` to ``length``; then the total."""
        counts = [len(self.blocks) ** blocks for blocks in range(self.fewest, self.length + 1)]
        return [0, *np.cumsum(np.array(counts, dtype=object)).tolist()]

    @property
    def fewest(self) -> int:
        return self.length if self.skip is None else 0

    @property
    def networks(self) -> int:
        return int(self.first_of_length[-1])

    def decode(self, numbers: NDArray[np.int64]) -> Choices:
        """Canonical forms ``[n, length]`` with these numbers."""
        rows = np.full((len(numbers), self.length), 0 if self.skip is None else self.skip, dtype=np.int8)
        for step, first in enumerate(self.first_of_length[:-1]):
            blocks = self.fewest + step
            here = (numbers >= first) & (numbers < self.first_of_length[step + 1])
            rest = numbers[here] - first
            for position in reversed(range(blocks)):
                rest, digit = np.divmod(rest, len(self.blocks))
                rows[here, position] = self.blocks[digit]
        return rows

    def draw(self, count: int, generator: np.random.Generator) -> Choices:
        """Canonical forms ``[count, length]`` drawn uniformly, with repeats, however many there are."""
        if self.networks <= np.iinfo(np.int64).max:
            return self.decode(generator.integers(self.networks, size=count))
        # One with k blocks is as likely as there are many: m^k of all, in ratios that no float overflows at.
        lengths = np.arange(self.fewest, self.length + 1)
        ratios = float(len(self.blocks)) ** (lengths - self.length)
        blocks = generator.choice(lengths, size=count, p=ratios / ratios.sum())
        rows = generator.choice(self.blocks, size=(count, self.length))
        if self.skip is not None:
            rows[np.arange(self.length) >= blocks[:, None]] = self.skip
        return rows


@dataclass(frozen=True)
class Placings:
    """The ways to place the blocks of a run among its positions, in their order: each a choice of places.

    Ways are numbered as ``itertools.combinations`` lists places.
    """

    length: int
    skip: int
    blocks: Choices

    @classmethod
    def of(cls, run: Run, part: Choices) -> Placings:
        """Of the choices at a run's positions."""
        skip = -1 if run.skip is None else run.skip
        return cls(run.length, skip, part[part != skip])

    @property
    def count(self) -> int:
        """How many ways there are."""
        return math.comb(self.length, len(self.blocks))

    def __getitem__(self, number: int) -> Choices:
        """The choices of the run's positions in the way of this number."""
        row = np.full(self.length, self.skip, dtype=np.int8)
        place, left = 0, len(self.blocks)
        for block in self.blocks:
            # Ways that have their next block at `place`, then those that have it later.
            while number >= (here := math.comb(self.length - place - 1, left - 1)):
                number, place = number - here, place + 1
            row[place] = block
            place, left = place + 1, left - 1
        return row


def fields_of(parameters: SpaceParameters) -> dict[str, Any]:
    """What parameters set, by its name, as classes of spaces take it."""
    given = parameters.model_dump(exclude={"preset"}, exclude_none=True)
    if "stages" in given:
        given["stages"] = tuple(Stage(**stage) for stage in given["stages"])
    return given
