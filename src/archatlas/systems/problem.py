"""What a search is asked: the best network of a space within bounds that are known without any training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from archatlas.costs.constraints import Constraint, satisfied
from archatlas.costs.table import costs_of
from archatlas.errors import ArchatlasError
from archatlas.spaces.protocol import Choices, SearchSpace, counts_quickly, draw_at_most, drawable
from archatlas.spaces.restricted import Restricted
from archatlas.systems.ledger import Ledger

Target = Literal["accuracy", "log_loss"]

_AT_ONCE, _BUILT_AT_ONCE, _DRAWS = 2_000, 50, 50


@dataclass(frozen=True)
class Problem:
    """A space, the bounds of one budget, and the tables that price its networks; counting costs is free.

    ``target`` is what scores are of; of a log loss the negative is the score.
    """

    space: SearchSpace
    constraints: Sequence[Constraint] = ()
    cost_table: pd.DataFrame | None = None
    latency_table: pd.DataFrame | None = None
    target: Target = "accuracy"

    def costs(self, choices: Choices) -> pd.DataFrame:
        """Columns macs, params and, if there is a latency table, predicted_latency_ms."""
        latency = None if self.latency_table is None or self.latency_table.empty else self.latency_table
        return costs_of(self.space, choices, self.cost_table, latency)

    def keeps(self, choices: Choices) -> NDArray[np.bool_]:
        """Which canonical rows keep all bounds, ``[n]``; where only some networks are known, these alone."""
        kept = np.ones(len(choices), dtype=np.bool_)
        if isinstance(self.space, Restricted):
            kept &= np.array([row.tobytes() in self._known for row in choices], dtype=np.bool_)
        if self.constraints and kept.any():
            kept[kept] = satisfied(self.costs(choices[kept]), self.constraints)
        return kept

    @cached_property
    def _known(self) -> set[bytes]:
        return {row.tobytes() for row in self.space.kept} if isinstance(self.space, Restricted) else set()

    def draw(self, count: int, generator: np.random.Generator) -> Choices:
        """``count`` different networks that keep all bounds, as the space's sampler draws; fewer if hardly any does.

        Raises:
            ArchatlasError: none was found.
        """
        at_once, tried = drawable(self.space, _AT_ONCE if counts_quickly(self.space) else _BUILT_AT_ONCE), 0
        found = np.zeros((0, len(self.space.num_choices)), dtype=np.int8)
        for _ in range(_DRAWS):
            drawn = draw_at_most(self.space, at_once, generator)
            tried += len(drawn)
            found = np.concatenate([found, drawn[self.keeps(drawn)]])
            _, first = np.unique(found, axis=0, return_index=True)
            found = found[np.sort(first)]
            if len(found) >= count or len(drawn) < at_once:  # The sampler finds no others.
                break
        if not len(found):
            bounds = ", ".join(map(str, self.constraints))
            raise ArchatlasError(
                f"none of {tried:,} networks drawn from {self.space.name} keeps all bounds ({bounds}): relax one"
            )
        return found[:count]


class Method(Protocol):
    """A way to search."""

    def search(self, problem: Problem, evaluator: Any, ledger: Ledger, generator: np.random.Generator) -> pd.DataFrame:
        """All networks that were scored until the ledger closed, in that order: ``account.VISITED``.

        Depends on ``generator`` alone for whatever it draws. The candidates are the best of these. ``evaluator`` is an
        ``evaluators.Evaluator``, or what a method without training starts from (``at_initialisation``).
        """


@runtime_checkable
class Selective(Protocol):
    """A method that can search some spaces only."""

    def unfit(self, space: SearchSpace) -> str | None:
        """Why it cannot search a space, as the end of a sentence; None where it can."""
