"""A space of which only some networks count: those that a public table knows."""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

import numpy as np

from archatlas.errors import ArchatlasError
from archatlas.spaces.protocol import Choices, SearchSpace

_Space = TypeVar("_Space", bound=SearchSpace)


class Restricted:
    """What a restricted space says differently: how many networks there are, and which.

    Attributes:
        kept: canonical rows ``[n, positions]``, all different; their order is that of the enumeration
        size: how many architectures are counted as spellings of them
    """

    name: str
    kept: Choices
    size: int

    @property
    def networks(self) -> int:
        return len(self.kept)

    def sample(self, count: int, generator: np.random.Generator) -> Choices:
        """``count`` of the networks drawn uniformly without repeats."""
        if count > self.networks:
            raise ArchatlasError(f"{self.networks:,} networks of {self.name} are known, but {count:,} were asked for")
        return self.kept[generator.choice(self.networks, size=count, replace=False)]

    def enumerate_networks(self, start: int, stop: int) -> Choices:
        """Networks ``start`` to ``stop``."""
        if not 0 <= start <= stop <= self.networks:
            raise ArchatlasError(f"`0 <= start <= stop <= {self.networks}` must hold, but got {start=}, {stop=}")
        return self.kept[start:stop]


def restricted(
    space: _Space, kept: Choices, size: int, kind: type[Restricted] = Restricted, **attributes: object
) -> _Space:
    """A space as ``space`` in all but what ``Restricted`` says, or a ``kind`` of it that has ``attributes`` as well.

    It is a member of the space's own class and has all of its capabilities, so that code that asks for a capability, or
    for the class, treats it as it treats the space.
    """
    mixed_in: type = kind
    own: Any = object.__new__(_restricted_class(mixed_in, type(space)))
    own.__dict__.update(space.__dict__, kept=kept, size=size, **attributes)
    made: _Space = own
    return made


@cache
def _restricted_class(kind: type, space: type) -> type:
    # The class's own `size` is a property, and would stand before the attribute.
    return type(f"{kind.__name__}{space.__name__}", (kind, space), {"size": None})
