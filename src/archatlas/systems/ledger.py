"""What a search spends. Methods that score networks are compared at equal limits; what each has spent is told."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass, field, fields

from pydantic import BaseModel, ConfigDict, Field


class Limit(BaseModel):
    """How much a search may spend, of each kind; null: of that kind as much as it likes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    evaluations: int | None = Field(None, ge=1, description="networks that are scored, each counted once")
    forward_macs: float | None = Field(None, gt=0, description="multiply-accumulates of forward passes")
    backward_macs: float | None = Field(None, gt=0, description="multiply-accumulates of backward passes")
    trainings: int | None = Field(None, ge=1, description="trainings of networks alone")
    epochs: float | None = Field(None, gt=0, description="epochs of super-networks")
    seconds: float | None = Field(None, gt=0, description="seconds by the clock; no two searches then end alike")


COUNTED = ("evaluations", "forward_macs", "backward_macs", "trainings")
"""The kinds that are kept with the results of a search. Epochs are of what all searches use, seconds of a machine."""

NOT_COUNTED = (
    "What it costs to fit, tune and ask a predictor stands in no ledger, nor does counting MACs and parameters."
)


@dataclass(frozen=True)
class Spending:
    """Amounts of each kind that ``Limit`` knows."""

    evaluations: float = 0.0
    forward_macs: float = 0.0
    backward_macs: float = 0.0
    trainings: float = 0.0
    epochs: float = 0.0
    seconds: float = 0.0

    def __add__(self, other: Spending) -> Spending:
        return Spending(**{one.name: getattr(self, one.name) + getattr(other, one.name) for one in fields(self)})


@dataclass
class Ledger:
    """What one search has spent so far, and how much it may.

    Seconds run by the clock from when the ledger is made; all else is charged by evaluators. A charge that would exceed
    the limit closes the ledger: nothing more is affordable then, however little it costs, so that every method stops at
    the same kind of place.
    """

    limit: Limit = field(default_factory=Limit)
    spent: Spending = Spending()
    closed: bool = False
    _begun: float = field(default_factory=time.perf_counter, repr=False)

    def charge(self, price: Spending) -> bool:
        """Spend ``price`` if that is affordable, and say whether it was."""
        self.spent = Spending(**{**asdict(self.spent), "seconds": time.perf_counter() - self._begun})
        after = self.spent + price
        limits = self.limit.model_dump(exclude_none=True)
        self.closed = self.closed or any(getattr(after, kind) > most for kind, most in limits.items())
        if not self.closed:
            self.spent = after
        return not self.closed

    def owe(self, price: Spending) -> None:
        """Spend ``price`` whatever the limit: what a search cannot end without."""
        self.spent += price

    def left(self, kind: str) -> float:
        """How much of a kind may still be spent; infinite where it has no limit."""
        most = getattr(self.limit, kind)
        return math.inf if most is None else most - getattr(self.spent, kind)

    def document(self) -> dict[str, float]:
        """What has been spent, by kind."""
        return asdict(self.spent)
