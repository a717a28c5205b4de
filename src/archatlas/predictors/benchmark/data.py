"""A public table as the benchmark uses it: what is learned from, what is judged, and what no predictor can beat."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from archatlas.costs.counting import count_parts
from archatlas.encodings.batch import ArchitectureBatch
from archatlas.errors import ArchatlasError
from archatlas.predictors.metrics import kendall_tau
from archatlas.predictors.protocol import Evaluations
from archatlas.spaces.cells import CellSpace
from archatlas.spaces.protocol import PrefixShared
from archatlas.spaces.tables.table import BenchmarkTable

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

_FEWEST_TWINS = 100
"""Networks with several rows from which on their agreement says something."""


@dataclass(frozen=True)
class Sets:
    """Rows of a table that are learned from, in the order in which they were drawn, and rows that are judged."""

    learned: Rows
    judged: Rows


@dataclass(frozen=True)
class BenchmarkData:
    """A table whose rows all have both kinds of accuracy.

    Attributes:
        table: one row per architecture, or per network where the split is by networks
        learned: the kind of accuracy that is fitted
        judged: the kind of accuracy that ranks are compared with
        split: see ``BenchmarkedSpace``
    """

    table: BenchmarkTable
    learned: str
    judged: str
    split: Literal["rows", "networks", "runs"]

    @classmethod
    def of(
        cls, table: BenchmarkTable, learned: str, judged: str, split: Literal["rows", "networks", "runs"]
    ) -> BenchmarkData:
        """The part of ``table`` that has both kinds of accuracy; twins are merged for a split by networks.

        Raises:
            ArchatlasError: the table has no such accuracy, or no runs to split by.
        """
        if split == "runs" and "run" not in table.rows:
            raise ArchatlasError(f"the table {table.name} has no runs: split it by rows or by networks")
        made = table.networks() if split == "networks" else table
        needed = [made.label(learned).column, made.label(judged).column]
        rows = made.rows.dropna(subset=needed).reset_index(drop=True)
        return cls(replace(made, rows=rows), learned, judged, split)

    def __len__(self) -> int:
        return len(self.table)

    @cached_property
    def truth(self) -> Floats:
        """Accuracies ``[n]`` that ranks are compared with."""
        return self._accuracy(self.judged)

    @cached_property
    def networks(self) -> Rows:
        """The number of each row's network, ``[n]``."""
        return np.asarray(pd.factorize(self.table.rows["network"])[0], dtype=np.int64)

    @cached_property
    def formulas(self) -> Rows | None:
        """The number of each row's formula, ``[n]``, where the space knows formulas (``spaces/edge_cells.py``)."""
        space = self.table.space
        return space.formulas(self.table.choices) if isinstance(space, CellSpace) else None

    @cached_property
    def cost_table(self) -> pd.DataFrame | None:
        """Counted parts, where costs are sums of parts."""
        space = self.table.space
        return count_parts(space) if isinstance(space, PrefixShared) else None

    @cached_property
    def proxies(self) -> pd.DataFrame | None:
        """Zero-cost proxies, a row each: the mean over those of a network's rows that have one; None without any."""
        if not self.table.proxies:
            return None
        values = self.table.rows[[*self.table.proxies]]
        return values.groupby(self.networks).transform("mean")

    @property
    def content(self) -> tuple[object, ...]:
        """All that a result depends on: what is learned and judged, architectures, networks, accuracies, proxies."""
        networks = self.table.choices, self.networks
        proxies = None if self.proxies is None else self.proxies.to_numpy(np.float64)
        return (self.learned, self.judged, self.split, *networks, self.truth, self._accuracy(self.learned), proxies)

    def batch(self, rows: Rows) -> ArchitectureBatch:
        """A batch that has made nothing yet."""
        proxies = None if self.proxies is None else self.proxies.iloc[rows]
        return ArchitectureBatch(
            self.table.space, self.table.choices[rows], cost_table=self.cost_table, proxies=proxies
        )

    def evaluations(self, rows: Rows) -> Evaluations:
        """What is learned from: accuracies with the binomial standard error of the images that they were measured on.

        What one training differs from another is not in it, as in a table of one training it cannot be known.
        """
        score = self._accuracy(self.learned)[rows]
        noise = np.sqrt(score * (1 - score) / self.table.label(self.learned).images)
        return Evaluations(score, noise, np.full(len(rows), "table"))

    def sets(self, count: int, seed: int) -> Sets:
        """What a repetition learns from and is judged on; a smaller ``count`` is the beginning of a larger one.

        Raises:
            ArchatlasError: there are not so many rows to draw from.
        """
        generator = np.random.default_rng([seed, 2020])
        if self.split == "runs":
            runs = self.table.rows["run"].to_numpy(dtype=np.str_)
            names = np.unique(runs)
            judged = np.flatnonzero(runs == names[seed % len(names)])
            others = np.flatnonzero(~np.isin(self.networks, self.networks[judged]))
            _, first = np.unique(self.networks[others], return_index=True)
            drawn = generator.permutation(others[np.sort(first)])
        else:
            drawn = generator.permutation(len(self))
            judged = np.arange(len(self)) if self.split == "rows" else np.sort(drawn[count:])
        if len(drawn) < count or not len(judged):
            raise ArchatlasError(
                f"`predictor_benchmark.spaces.{self.table.name}.labels` asks for {count:,} labels, but there are "
                f"{len(drawn):,} rows to draw from"
            )
        return Sets(drawn[:count], judged)

    def _accuracy(self, label: str) -> Floats:
        return self.table.rows[self.table.label(label).column].to_numpy(dtype=np.float64)


def ceilings(
    table: BenchmarkTable, learned: str, judged: str, *, fewest_twins: int = _FEWEST_TWINS
) -> Iterator[tuple[str, float]]:
    """Kendall's tau-b that perfect knowledge of one measurement reaches on another: (what, tau).

    Of one kind of accuracy: what the table's own ``ceilings`` tell, and ``twins_mean``, each architecture against the
    mean of its twins, both left out where few networks have any. Of two kinds: ``labels``, one against the other over
    all rows, and ``labels_by_network``, the first averaged over twins.
    """
    known, truth = table.label(learned).column, table.label(judged).column
    rows = table.rows[["network", known]].assign(truth=table.rows[truth]).dropna()
    by_network = rows.groupby("network", sort=False)[known]
    values = rows["truth"].to_numpy(dtype=np.float64)
    if learned != judged:
        yield "labels", kendall_tau(values, rows[known].to_numpy(dtype=np.float64))
        yield "labels_by_network", kendall_tau(values, by_network.transform("mean").to_numpy(dtype=np.float64))
        return
    found = table.ceilings(judged)
    enough = int((by_network.size() > 1).sum()) >= fewest_twins
    yield from ((what, tau) for what, tau in found.items() if enough or what != "twins")
    if "twins" in found and enough:
        size = by_network.transform("size").to_numpy(dtype=np.float64)
        several = size > 1
        total = by_network.transform("sum").to_numpy(dtype=np.float64)
        yield "twins_mean", kendall_tau(values[several], (total - values)[several] / (size[several] - 1))
