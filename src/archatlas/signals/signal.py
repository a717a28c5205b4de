"""What a run says of itself where a stage has nothing to go by: a signal that something is missing or doubtful."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast

Level = Literal["warning", "broken"]
"""``broken``: the stage's result tells nothing. ``warning``: it may be right, but this run cannot show it."""


@dataclass(frozen=True)
class Signal:
    """A finding against the run's own results, in sentences that stand alone.

    Attributes:
        stage: where it was found, as the stage is called
        name: of the check, the same in logs, metrics and report
        level: how bad it is
        what: what was found, with the figures that say so
        instead: what the run does about it
        cure: what would help, by the names of parameters
    """

    stage: str
    name: str
    level: Level
    what: str
    instead: str
    cure: str

    def document(self) -> dict[str, str]:
        """For JSON; ``of_document`` reads it."""
        return cast("dict[str, str]", asdict(self))

    def line(self) -> str:
        """All of it on one line, for a log."""
        return f"{self.stage}, {self.name} ({self.level}): {self.what} {self.instead} {self.cure}"


def of_document(document: Mapping[str, Any]) -> Signal:
    """The signal that ``Signal.document`` wrote."""
    return Signal(**document)


def by_hand(change: str, *, scheduled: bool, with_time: bool = True) -> str:
    """A change of settings for a cure: with a time budget the schedule has them in the place of the user's own.

    Args:
        change: in words, such as "raise `supernet.training.epochs`".
        scheduled: whether there is a time budget.
        with_time: whether more of it brings what the change would.
    """
    if not scheduled:
        return change
    return f"{'give more time (`time_budget`), or ' if with_time else ''}set `time_budget=null` and {change}"


def sentence(words: str) -> str:
    """Words with a capital at their beginning and a full stop at their end."""
    return f"{words[:1].upper()}{words[1:]}."


def given(*found: Signal | None) -> list[Signal]:
    """The signals among the answers of some checks, in their order."""
    return [signal for signal in found if signal is not None]


def log_signals(logger: logging.Logger, signals: Iterable[Signal]) -> None:
    """One line for each, as a warning."""
    for signal in signals:
        logger.warning("%s", signal.line())


def percent(fraction: float) -> str:
    """A fraction for a sentence: ``12.3%``."""
    return f"{100 * fraction:.1f}%"


def tau_with_interval(tau: float, bounds: tuple[float, float] | list[float] | None) -> str:
    """A rank correlation for a sentence: ``tau 0.12 (-0.05 to 0.30)``."""
    return f"tau {tau:.2f}" + ("" if bounds is None else f" ({bounds[0]:.2f} to {bounds[1]:.2f})")
