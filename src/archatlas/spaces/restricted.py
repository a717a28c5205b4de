"""A space of which only some networks count: those that a public table knows, or the sub-architectures of a segment."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from operator import attrgetter
from typing import Any, Self, TypeVar, cast

import numpy as np

from archatlas.errors import ArchatlasError
from archatlas.spaces.protocol import Choices, ListedSpace, SearchSpace

_Kind = TypeVar("_Kind")
_MADE = "_made_of_a_space"


@dataclass(frozen=True, eq=False)
class Restricted:
    """A space that says how many networks there are, and which, and leaves all else to the whole space.

    Beside being listed it can do what the whole space can, no more and no less: an instance's own class has a delegate
    for each public name of that space. Code that asks for a capability by ``isinstance`` looks at the class (from
    Python 3.12 on there alone), so that ``__getattr__`` would not do.

    Attributes:
        whole: the space that it is a part of
        kept: canonical rows ``[n, positions]``, all different; their order is that of the enumeration
        size: how many architectures are counted as spellings of them
    """

    whole: SearchSpace
    kept: Choices
    size: int

    def __new__(cls, whole: SearchSpace, *_rest: object, **_fields: object) -> Self:
        names = tuple(name for name in dir(whole) if not name.startswith("_"))
        kind: Any = _as_written(cls)
        made: Self = object.__new__(_with_delegates(kind, type(whole).__name__, names))
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return _as_written(type(self)), tuple(getattr(self, field.name) for field in fields(self))

    @property
    def networks(self) -> int:
        return len(self.kept)

    def sample(self, count: int, generator: np.random.Generator) -> Choices:
        """``count`` of the networks drawn uniformly without repeats."""
        if count > self.networks:
            name = self.whole.name
            raise ArchatlasError(f"{self.networks:,} networks of {name} are known, but {count:,} were asked for")
        return self.kept[generator.choice(self.networks, size=count, replace=False)]

    def enumerate_networks(self, start: int, stop: int) -> Choices:
        """Networks ``start`` to ``stop``."""
        if not 0 <= start <= stop <= self.networks:
            raise ArchatlasError(f"`0 <= start <= stop <= {self.networks}` must hold, but got {start=}, {stop=}")
        return self.kept[start:stop]


def restricted(space: SearchSpace, kept: Choices, size: int) -> ListedSpace:
    """``Restricted``, seen as the space that it is."""
    return cast(ListedSpace, Restricted(space, kept, size))


def _as_written(kind: type[_Kind]) -> type[_Kind]:
    """The class that stands in a module, of one that was made of it."""
    return kind.__mro__[1] if _MADE in vars(kind) else kind


@cache
def _with_delegates(kind: type, space: str, names: tuple[str, ...]) -> type:
    """A class like ``kind`` that hands on the ``names`` which it does not say itself."""
    own = {*dir(kind), *(field.name for field in fields(kind))}
    delegates = {name: property(attrgetter(f"whole.{name}")) for name in names if name not in own}
    return type(f"{kind.__name__}{space}", (kind,), {_MADE: True, **delegates})
