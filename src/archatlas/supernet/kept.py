"""What the first choices of a path have made of the images, kept for other paths that begin alike."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from archatlas.spaces.protocol import Choices

KEPT_MIB = 256
"""What searches keep for each super-network (of chains: activations of images)."""


class Kept:
    """Results of prefixes of rows; those that were used least recently go first, and longer ones before shorter.

    ``most_bytes`` bounds them. What the path at hand needs is kept even if it is more than that, and by default nothing
    else is: neighbours of sorted rows then share what they can.
    """

    def __init__(self, most_bytes: int = 0) -> None:
        self._most = most_bytes
        self._bytes = 0
        self._results: OrderedDict[bytes, tuple[Any, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._results)

    def longest_prefix(self, row: Choices) -> tuple[int, Any]:
        """How many of the first choices of ``row`` are known already, and what they make; 0 and None if none are."""
        known = [depth for depth in range(len(row), -1, -1) if row[:depth].tobytes() in self._results]
        for depth in known:  # The shortest last: most paths need it.
            self._results.move_to_end(row[:depth].tobytes())
        self._make_room(len(known))
        return (known[0], self._results[row[: known[0]].tobytes()][0]) if known else (0, None)

    def keep(self, prefix: Choices, result: Any, size: int) -> None:
        """Keep the result of so many bytes; ``prefix`` is of the row that was asked for last."""
        self._results[prefix.tobytes()] = (result, size)
        self._bytes += size
        self._make_room(len(prefix) + 1)

    def _make_room(self, needed: int) -> None:
        """Drop what was used least recently until all fits; the last ``needed`` stay."""
        while self._bytes > self._most and len(self._results) > needed:
            _, (_, size) = self._results.popitem(last=False)
            self._bytes -= size
