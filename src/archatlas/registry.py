"""Implementations by name: what a new space, predictor or strategy is added to, by one line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pkgutil import resolve_name
from typing import Any

from archatlas.errors import ArchatlasError, nearest


class Registry(Mapping[str, tuple[str, ...]]):
    """Names, and where what they name is to be found: one or more ``"package.module:object"``, imported when asked for.

    The incremental runner reads registries that are written out where they are assigned: each entry counts by itself
    there, so that a new line makes nothing out of date. What runs must therefore look entries up, and not go through
    them all.
    """

    def __init__(self, what: str, entries: Mapping[str, str | tuple[str, ...]]) -> None:
        self._what = what
        self._entries = {name: (one,) if isinstance(one, str) else one for name, one in entries.items()}

    def __getitem__(self, name: str) -> tuple[str, ...]:
        """Where the objects of this name are to be found; ArchatlasError, with the nearest names, if there is none."""
        if name not in self._entries:
            raise ArchatlasError(f"there is no {self._what} {name!r}{nearest(name, self._entries)}")
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def load(self, name: str, part: int = 0) -> Any:
        """The object of this name, or another ``part`` of it; ArchatlasError, with the nearest names, if unknown."""
        return resolve_name(self[name][part])
