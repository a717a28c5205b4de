"""What every search space offers, and what some offer on top.

The core is small: sample, validate, names, canonicalise, graphs, build, mutate, crossover. What only some spaces can do
is a capability of its own, asked for with ``isinstance``: a chain can be counted and enumerated, its cost is a sum over
positions and its subnets share what a prefix computes; a free DAG of 30 nodes has none of these and is a space all the
same.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias, cast, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from archatlas.errors import ArchatlasError
from archatlas.graphs.architecture_graphs import ArchitectureGraphs

if TYPE_CHECKING:
    from torch import nn

Choices: TypeAlias = NDArray[np.int8]
"""A choice matrix ``[n, positions]``: row by row an architecture, each entry the index of the choice at a position."""

UNIFORM = "uniform over networks"
"""How most spaces draw: every network with the same odds, however many architectures compute it."""

Names: TypeAlias = NDArray[np.str_]
"""Names of architectures in the space's standard notation, ``[n]``."""


class FewerNetworksError(ArchatlasError):
    """A sampler was asked for more networks than it finds; those ``found`` are canonical rows ``[n, positions]``."""

    def __init__(self, message: str, found: Choices) -> None:
        super().__init__(message)
        self.found = found


@runtime_checkable
class SearchSpace(Protocol):
    """A set of architectures that can be drawn from, varied, named, drawn as graphs and built."""

    @property
    def name(self) -> str: ...

    @property
    def num_choices(self) -> tuple[int, ...]:
        """How many choices each position has; its length is the number of positions."""

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of the images that a built network takes."""

    @property
    def num_classes(self) -> int: ...

    @property
    def graph_features(self) -> tuple[str, ...]:
        """What each node feature of ``graphs`` is, in order."""

    def validate(self, choices: ArrayLike) -> Choices:
        """``choices`` as a choice matrix; raises ArchatlasError naming the first row and position that is not one."""

    def sample(self, count: int, generator: np.random.Generator) -> Choices:
        """``count`` distinct networks without repeats, in canonical form, drawn as ``sampler`` says.

        Raises ArchatlasError if the space is known to have fewer networks; FewerNetworksError, with what was drawn, if
        that shows by drawing alone.
        """

    @property
    def sampler(self) -> str:
        """How ``sample`` draws, in words ("uniform over networks"): what is said of a sample is said of its draw."""

    def mutate(self, choices: Choices, generator: np.random.Generator, probability: float | None = None) -> Choices:
        """Architectures of the space that differ a little: what differs does so with ``probability`` (None: 1 / parts).

        Any rows may be given, canonical or not, and any may come.
        """

    def crossover(self, first: Choices, second: Choices, generator: np.random.Generator) -> tuple[Choices, Choices]:
        """Two children of each pair of rows, all of them architectures of the space."""

    def names(self, choices: Choices) -> Names: ...

    def parse(self, names: ArrayLike) -> Choices:
        """Inverse of ``names``; raises ArchatlasError naming the first name that is not one."""

    def canonicalise(self, choices: Choices) -> Choices:
        """For each row the one architecture that stands for all that compute the same network. Idempotent."""

    def graphs(self, choices: Choices, *, canonical: bool = False) -> ArchitectureGraphs:
        """Graphs of what the rows compute: equal for architectures that are the same network.

        ``canonical`` says that the rows are known to be canonical, and need not be made so again.
        """

    def build(self, choices: ArrayLike) -> nn.Module:
        """The stand-alone network of one row: images ``[b, c, h, w]`` to logits ``[b, classes]``."""


@runtime_checkable
class Documented(Protocol):
    """A space that is known by its kind: what super-networks and documents of exported networks go by."""

    @property
    def kind(self) -> str:
        """The name of its class in registries and files."""


@runtime_checkable
class Counted(Protocol):
    """A space whose members are counted exactly."""

    @property
    def size(self) -> int:
        """The number of architectures."""

    @property
    def networks(self) -> int:
        """The number of distinct networks: architectures that compute the same count once."""


@runtime_checkable
class Enumerable(Counted, Protocol):
    """A space that can be written out."""

    def enumerate_networks(self, start: int, stop: int) -> Choices:
        """Canonical rows of networks ``start`` to ``stop`` in the space's fixed order."""


class ListedSpace(SearchSpace, Enumerable, Protocol):
    """A search space that can be written out."""


@runtime_checkable
class HasTwins(Protocol):
    """A space in which several architectures can be one network."""

    def twins(self, choices: ArrayLike) -> Choices:
        """All architectures that compute the network of one row, that row's own among them."""

    def draw_twins(self, choices: ArrayLike, count: int, generator: np.random.Generator) -> Choices:
        """``count`` different ones of them, uniformly, or all if there are no more; none but these is listed."""


@runtime_checkable
class PrefixShared(Protocol):
    """A space of chains: stem, one block per position, head.

    Its cost is a sum over these parts, and two subnets share all that their common prefix computes.
    """

    def make_stem(self) -> nn.Module: ...

    def make_block(self, position: int, choice: int) -> nn.Module: ...

    def make_head(self) -> nn.Module: ...

    def block_input_shape(self, position: int) -> tuple[int, int, int]:
        """Channels, height and width that enter a position; ``position == len(num_choices)`` is the head's input."""


class ChainLike(SearchSpace, PrefixShared, Protocol):
    """A search space whose networks are a stem, one block per position and a head."""


@runtime_checkable
class ChainFamily(Protocol):
    """A space whose networks are chains of several kinds, each a space of chains of its own: a member."""

    @property
    def members(self) -> Mapping[str, ChainLike]:
        """The members by label, in order."""

    def by_member(self, choices: Choices) -> Iterator[tuple[str, NDArray[np.intp], Choices]]:
        """Of each member that occurs: its label, where its rows stand among ``choices``, and these as its own rows."""

    def labels_of(self, names: Names) -> Names:
        """The label of the member that each network is of, by the networks' names."""


@runtime_checkable
class HasSkips(Protocol):
    """A space in which a position may be left out."""

    @property
    def skips(self) -> tuple[int | None, ...]:
        """For each position the choice that is a skip (an identity, or a projection where the shape changes)."""


@runtime_checkable
class Described(Protocol):
    """A space that has words for its positions and choices."""

    @property
    def positions_title(self) -> str:
        """What its positions are, as the title of their axis."""

    @property
    def twins_because(self) -> str:
        """Why several of its architectures are one network: the end of a sentence."""

    @property
    def canonical_form(self) -> str:
        """How the one of them that stands for all is written: a sentence."""

    def position_label(self, position: int) -> str:
        """A word for a position, short enough for a tick."""

    def operation(self, position: int, choice: int) -> object:
        """What the index ``choice`` stands for at ``position``; its string is the word for it."""


@runtime_checkable
class Segmented(Protocol):
    """A space whose positions stand in a row, so that it can be searched one segment of them after the other."""

    def segment_networks(self, start: int, stop: int) -> int:
        """How many different things positions ``start`` to ``stop`` can compute: rows of ``segment_rows``."""

    def segment_rows(self, start: int, stop: int) -> Choices:
        """Canonical choices ``[n, stop - start]`` of positions ``start`` to ``stop``: each thing they compute once."""

    def continued_identity(self, position: int) -> int | None:
        """The choice that is an identity at a position, if identities move freely between it and the one before."""


@runtime_checkable
class CountedInBulk(Protocol):
    """A space that counts the costs of many networks at once, although they are no sum over positions."""

    def counted_costs(self, choices: Choices) -> dict[str, NDArray[np.int64]]:
        """``macs`` (of one image) and ``params`` of each row, ``[n]``: exactly those of the built networks."""


class Link(NamedTuple):
    """A module of a network that runs one after the other.

    Attributes:
        key: equal for links of one space that are the same module
        make: makes it
        input_shape: channels, height and width that it reads
    """

    key: Hashable
    make: Callable[[], nn.Module]
    input_shape: tuple[int, int, int]


@runtime_checkable
class Linked(Protocol):
    """A space whose networks run links one after the other, though a position does not stand for one of them."""

    def links(self, row: Choices) -> Sequence[Link]:
        """The links of the network of one canonical row ``[positions]``, from the stem to the head."""


def networks_of(space: SearchSpace) -> int | None:
    """How many networks a space has; None where that is not known exactly."""
    return space.networks if isinstance(space, Counted) else None


def drawable(space: SearchSpace, count: int) -> int:
    """``count``, or how many networks there are if these are fewer."""
    return min(count, space.networks) if isinstance(space, Counted) else count


def draw_at_most(space: SearchSpace, count: int, generator: np.random.Generator) -> Choices:
    """``count`` different networks as the space's sampler draws them, or fewer where it finds no more."""
    try:
        return space.sample(drawable(space, count), generator)
    except FewerNetworksError as error:
        return error.found


def counts_quickly(space: SearchSpace) -> bool:
    """Whether many networks are priced without building each: chains by their parts, other spaces in bulk."""
    return bool(chains_of(space)) or isinstance(space, CountedInBulk)


def chains_of(space: SearchSpace) -> Mapping[str, ChainLike]:
    """The chains that a space's networks are, by the label of their member: a chain is its own only one, called ``""``.

    Empty for a space whose networks are no chains.
    """
    if isinstance(space, ChainFamily):
        return space.members
    return {"": cast("ChainLike", space)} if isinstance(space, PrefixShared) else {}


def choice_matrix(choices: ArrayLike, num_choices: tuple[int, ...], name: str) -> Choices:
    """``choices`` as int8 ``[n, positions]``, every entry below its position's number of choices.

    Raises:
        ArchatlasError: naming the space, and the first row and position that is not a choice.
    """
    raw = np.asarray(choices)
    if raw.ndim != 2 or raw.shape[1] != len(num_choices):
        raise ArchatlasError(f"choices of {name} must have shape [n, {len(num_choices)}], but got {list(raw.shape)}")
    wrong = np.argwhere((raw < 0) | (raw >= np.array(num_choices)))
    if len(wrong):
        row, position = wrong[0]
        raise ArchatlasError(
            f"row {row}: position {position} of {name} has choices 0 to {num_choices[position] - 1}, "
            f"but got {raw[row, position]}"
        )
    return raw.astype(np.int8)
