"""How far a long loop is: a bar on a terminal, and where there is none a line of log every half minute.

A line is said when something is done, and so not before. Loops that run side by side take turns.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, overload

if TYPE_CHECKING:
    from tqdm import tqdm

Item = TypeVar("Item")

LINE_SECONDS = 30.0
"""Between two lines."""

_log = logging.getLogger(__name__)


def on_terminal() -> bool:
    """Whether this process shows bars, and no lines."""
    return sys.stderr is not None and sys.stderr.isatty()


@overload
def progress_bar(items: Iterable[Item], *, desc: str | None, **how: Any) -> tqdm[Item] | ProgressLines[Item]: ...


@overload
def progress_bar(items: None = None, *, desc: str | None, **how: Any) -> tqdm[Any] | ProgressLines[Any]: ...


def progress_bar(
    items: Iterable[Any] | None = None,
    *,
    desc: str | None,
    total: int | None = None,
    initial: int = 0,
    unit: str = "it",
    position: int = 0,
    turns: int = 1,
    hidden: bool = False,
    **bar: Any,
) -> tqdm[Any] | ProgressLines[Any]:
    """To go through ``items``, or a block whose work is told by ``update(count)``; of so many units in all.

    Where stderr is a terminal this is tqdm's bar, with the further settings ``bar``; elsewhere :class:`ProgressLines`.
    ``initial`` units were done before, ``position`` is the bar's line on the screen, or the loop's place among so many
    that take ``turns`` with their lines. Nothing is shown if ``hidden``.
    """
    if on_terminal():
        from tqdm import tqdm

        bar |= {"total": total, "initial": initial, "unit": unit, "position": position, "disable": hidden}
        return tqdm(items, desc, **bar)
    turn = (position % turns, turns)
    return ProgressLines(items, desc=desc, total=total, initial=initial, unit=unit, turn=turn, hidden=hidden)


class ProgressLines(Generic[Item]):
    """What :func:`progress_bar` gives where there is no terminal; it has what is used here of tqdm's bar.

    A loop that is quicker than ``LINE_SECONDS`` says nothing. ``turn`` is which of how many loops side by side it is,
    from 0: in that time all of them together say one line.
    """

    def __init__(
        self,
        items: Iterable[Item] | None = None,
        *,
        desc: str | None,
        total: int | None = None,
        initial: int = 0,
        unit: str = "it",
        turn: tuple[int, int] = (0, 1),
        hidden: bool = False,
    ) -> None:
        if total is None and isinstance(items, Sized):
            total = len(items)
        self.disable = hidden
        self._items, self._desc, self._total, self._unit = items, desc, total, unit
        self._initial = self._done = initial
        self._extra = ""
        self._begun = time.monotonic()
        place, self._turns = turn
        self._next = self._begun + LINE_SECONDS * (1 + place)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def __iter__(self) -> Iterator[Item]:
        for item in self._items or ():
            yield item
            self.update()

    def update(self, count: float = 1) -> None:
        """So many more units are done."""
        self._done += int(count)
        now = time.monotonic()
        if not self.disable and now >= self._next:
            self._next = now + LINE_SECONDS * self._turns
            _log.info("%s", self._line(now - self._begun))

    def set_postfix(self, **values: Any) -> None:
        """What is said at the end of the next lines, by name."""
        self._extra = ", ".join(f"{name} {value}" for name, value in values.items())

    def set_postfix_str(self, text: str) -> None:
        """The same as one text."""
        self._extra = text

    def _line(self, seconds: float) -> str:
        new = self._done - self._initial
        said = [f"{_count(self._done, self._unit)} after {duration(seconds)}"]
        if self._total:
            said = [f"{_count(self._done, '')} of {_count(self._total, self._unit)} ({self._done / self._total:.0%})"]
        if self._total and new and self._done < self._total:
            said.append(f"about {duration(seconds / new * (self._total - self._done))} left")
        return ", ".join([f"{self._desc or 'at work'}: {said[0]}", *said[1:], *filter(None, [self._extra])])


def _count(number: int, unit: str) -> str:
    """A number and its unit, in the plural."""
    return f"{number:,} {unit}{'' if number == 1 else 's'}" if unit else f"{number:,}"


def duration(seconds: float) -> str:
    """``"25 s"``, ``"4 min"``, ``"2.5 h"``."""
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
