"""Chains of several sizes of images and widths: the two multipliers of MobileNets, as part of the search.

An architecture is a size, a width and a chain. Behind each pair of a size and a width stands a chain space of its own,
a member, whose networks take images of that size and have every width multiplied by that number (Howard et al., 2017,
arXiv 1704.04861, sections 3.3 and 3.4: the width and the resolution multiplier).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from archatlas.errors import ArchatlasError
from archatlas.graphs.architecture_graphs import ArchitectureGraphs
from archatlas.spaces.chain import ChainSpace
from archatlas.spaces.protocol import UNIFORM, Choices, Names, choice_matrix
from archatlas.spaces.variation import FreeChoices

if TYPE_CHECKING:
    from torch import nn

CHAIN_FROM = 2
"""The position at which the chain's own positions begin; before it stand the size and the width."""
_DIVISOR = 8
"""Scaled widths are multiples of it: vector units like them, and onnxruntime is up to three times as fast."""


@dataclass(frozen=True)
class ScaledChains(FreeChoices):
    """The chains of ``base`` at each of ``image_sizes`` (sides, pixels) and ``widths`` (multipliers).

    Implements SearchSpace, Enumerable, HasTwins, HasSkips, Described and ChainFamily. Networks take images of
    ``base``'s size, which is the largest, and see them at their own. ``parse(names)`` and ``names`` write
    ``r48_w0.75_`` before the name of the chain.
    """

    kind: ClassVar[str] = "scaled_chains"
    sampler: ClassVar[str] = UNIFORM

    base: ChainSpace
    image_sizes: tuple[int, ...]
    widths: tuple[float, ...]

    def __post_init__(self) -> None:
        if self.image_sizes[-1] != self.input_shape[-1]:
            raise ArchatlasError(
                f"the largest of `space.image_sizes` is {self.image_sizes[-1]}, but images are prepared at "
                f"{self.input_shape[-1]} pixels: set `images.image_size` to {self.image_sizes[-1]} (or to null), or "
                "take other sizes"
            )
        seen: dict[Any, float] = {}
        for width, member in zip(self.widths, self.members.values(), strict=False):
            shape = (member.stem_width, member.stem_block_width, member.stages, member.head_width)
            if shape in seen:
                raise ArchatlasError(
                    f"`space.widths` {seen[shape]:g} and {width:g} give the same networks, since scaled widths are "
                    f"multiples of {_DIVISOR}: leave one out"
                )
            seen[shape] = width

    # -- Members ---------------------------------------------------------------------------------------------------

    @cached_property
    def members(self) -> dict[str, ChainSpace]:
        """The chain space of each pair by its label (``r48_w0.75``), sizes before widths."""
        return {
            f"r{size}_w{width:g}": self.base.scaled(width, _DIVISOR).seen_at(size)
            for size in self.image_sizes
            for width in self.widths
        }

    @cached_property
    def _labels(self) -> NDArray[np.str_]:
        return np.array(list(self.members))

    def _numbers(self, choices: Choices) -> NDArray[np.intp]:
        """Of each row, which of the members it is of."""
        return choices[:, 0].astype(np.intp) * len(self.widths) + choices[:, 1]

    def by_member(self, choices: Choices) -> Iterator[tuple[str, NDArray[np.intp], Choices]]:
        numbers = self._numbers(choices)
        for number in np.unique(numbers):
            rows = np.flatnonzero(numbers == number)
            yield str(self._labels[number]), rows, choices[rows, CHAIN_FROM:]

    def labels_of(self, names: Names) -> Names:
        return _split_names(names)[0]

    # -- Shape of the space ----------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        return self.base.name

    @property
    def input_shape(self) -> tuple[int, int, int]:
        return self.base.input_shape

    @property
    def num_classes(self) -> int:
        return self.base.num_classes

    @cached_property
    def num_choices(self) -> tuple[int, ...]:
        return (len(self.image_sizes), len(self.widths), *self.base.num_choices)

    @cached_property
    def skips(self) -> tuple[int | None, ...]:
        return (None, None, *self.base.skips)

    @property
    def size(self) -> int:
        return len(self.members) * self.base.size

    @property
    def networks(self) -> int:
        return len(self.members) * self.base.networks

    def operation(self, position: int, choice: int) -> object:
        """What the index ``choice`` stands for at ``position``: r48, w0.75, or an operation of the chain."""
        if position >= CHAIN_FROM:
            return self.base.operation(position - CHAIN_FROM, choice)
        return f"r{self.image_sizes[choice]}" if position == 0 else f"w{self.widths[choice]:g}"

    positions_title: ClassVar[str] = ChainSpace.positions_title
    twins_because: ClassVar[str] = ChainSpace.twins_because
    canonical_form: ClassVar[str] = ChainSpace.canonical_form

    def position_label(self, position: int) -> str:
        """Size, width, or stage and place in it."""
        return ("size", "width")[position] if position < CHAIN_FROM else self.base.position_label(position - CHAIN_FROM)

    # -- Choice matrices -------------------------------------------------------------------------------------------

    def validate(self, choices: ArrayLike) -> Choices:
        return choice_matrix(choices, self.num_choices, self.name)

    def sample(self, count: int, generator: np.random.Generator) -> Choices:
        if count > self.networks:
            raise ArchatlasError(f"{self.name} has {self.networks:,} networks, but {count:,} were asked for")
        if self.networks <= np.iinfo(np.int64).max:
            return self._decode(generator.choice(self.networks, size=count, replace=False))
        # So many that no chain is met twice: then any member is as good as any other.
        chains = self.base.sample(count, generator)
        scales = [generator.integers(choices, size=count) for choices in self.num_choices[:CHAIN_FROM]]
        return np.concatenate([np.stack(scales, axis=1).astype(np.int8), chains], axis=1)

    def enumerate_networks(self, start: int, stop: int) -> Choices:
        if not 0 <= start <= stop <= self.networks:
            raise ArchatlasError(f"`0 <= start <= stop <= {self.networks}` must hold, but got {start=}, {stop=}")
        return self._decode(np.arange(start, stop, dtype=np.int64))

    def _decode(self, numbers: NDArray[np.int64]) -> Choices:
        member, chain = np.divmod(numbers, self.base.networks)
        first = np.stack(np.divmod(member, len(self.widths)), axis=1).astype(np.int8)
        return np.concatenate([first, self.base.decode(chain)], axis=1)

    def canonicalise(self, choices: Choices) -> Choices:
        return np.concatenate([choices[:, :CHAIN_FROM], self.base.canonicalise(choices[:, CHAIN_FROM:])], axis=1)

    def twins(self, choices: ArrayLike) -> Choices:
        row = self.validate(np.atleast_2d(np.asarray(choices)))[0]
        return self._with_scale_of(row, self.base.twins(row[CHAIN_FROM:]))

    def draw_twins(self, choices: ArrayLike, count: int, generator: np.random.Generator) -> Choices:
        row = self.validate(np.atleast_2d(np.asarray(choices)))[0]
        return self._with_scale_of(row, self.base.draw_twins(row[CHAIN_FROM:], count, generator))

    @staticmethod
    def _with_scale_of(row: Choices, chains: Choices) -> Choices:
        return np.concatenate([np.tile(row[:CHAIN_FROM], (len(chains), 1)), chains], axis=1)

    # -- Names -----------------------------------------------------------------------------------------------------

    def names(self, choices: Choices) -> Names:
        labels = np.char.add(self._labels, "_")
        return np.char.add(labels[self._numbers(choices)], self.base.names(choices[:, CHAIN_FROM:]))

    def parse(self, names: ArrayLike) -> Choices:
        given = np.atleast_1d(np.asarray(names, dtype=np.str_))
        labels, chains = _split_names(given)
        number = np.full(len(given), -1)
        for which, label in enumerate(self._labels):
            number[labels == label] = which
        if (number < 0).any():
            example = str(self.names(self._decode(np.zeros(1, dtype=np.int64)))[0])
            raise ArchatlasError(
                f"{str(given[number < 0][0])!r} is not the name of an architecture of {self.name} at sizes "
                f"{list(self.image_sizes)} and widths {list(self.widths)}; names look like {example!r}"
            )
        first = np.stack(np.divmod(number, len(self.widths)), axis=1).astype(np.int8)
        return np.concatenate([first, self.base.parse(chains)], axis=1)

    # -- Graphs ----------------------------------------------------------------------------------------------------

    @cached_property
    def graph_features(self) -> tuple[str, ...]:
        return (*self.base.graph_features, "image_size", "width_multiplier")

    def graphs(self, choices: Choices, *, canonical: bool = False) -> ArchitectureGraphs:
        """The graphs of the members' chains; every node also knows the size and the width, as parts of the largest."""
        positions = len(self.base.num_choices)
        features = np.zeros((len(choices), positions + 2, len(self.graph_features)), dtype=np.float32)
        adjacency = np.zeros((len(choices), positions + 2, positions + 2), dtype=np.bool_)
        mask = np.zeros((len(choices), positions + 2), dtype=np.bool_)
        for label, rows, chains in self.by_member(choices):
            graphs = self.members[label].graphs(chains, canonical=canonical)
            features[rows, :, :-2], adjacency[rows], mask[rows] = graphs.features, graphs.adjacency, graphs.mask
        features[..., -2] = (np.array(self.image_sizes) / max(self.image_sizes))[choices[:, 0], None]
        features[..., -1] = (np.array(self.widths) / max(self.widths))[choices[:, 1], None]
        features[~mask] = 0
        return ArchitectureGraphs(features, adjacency, mask)

    # -- Modules ---------------------------------------------------------------------------------------------------

    def build(self, choices: ArrayLike) -> nn.Module:
        from archatlas.networks.resized import Resized

        row = self.validate(np.atleast_2d(np.asarray(choices)))
        ((label, _, chain),) = self.by_member(row)
        member = self.members[label]
        network = member.build(chain[0])
        return network if member.input_shape == self.input_shape else Resized(network, member.input_shape[-1])


def _split_names(names: Names) -> tuple[NDArray[np.str_], NDArray[np.str_]]:
    """Labels of members, and the names of chains, of names of ``ScaledChains``; empty labels where there are none."""
    parts = [name.split("_", CHAIN_FROM) for name in names.tolist()]
    known = [len(part) > CHAIN_FROM for part in parts]
    labels = ["_".join(part[:CHAIN_FROM]) if well else "" for part, well in zip(parts, known, strict=True)]
    chains = [part[-1] for part in parts]
    return np.array(labels, dtype=np.str_), np.array(chains, dtype=np.str_)
