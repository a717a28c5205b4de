"""Architectures with what may be known of them without training."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from archatlas.encodings.distinct_rows import distinct_rows
from archatlas.graphs.architecture_graphs import ArchitectureGraphs
from archatlas.spaces.protocol import Choices, SearchSpace


class ArchitectureBatch:
    """``n`` architectures of one space: choices, graphs and costs, each made when first asked for.

    Choices are canonical, so that twins are one row to every predictor (``canonical``: they are given so). ``graphs``
    may be handed in where a stage has made them already; ``cost_table`` is the table of counted parts where the space
    has one. ``proxies`` are numbers that others have measured without training (``n`` rows, a column each, NaN where
    there is none), never made here.
    """

    def __init__(
        self,
        space: SearchSpace,
        choices: Choices,
        *,
        cost_table: pd.DataFrame | None = None,
        graphs: ArchitectureGraphs | None = None,
        proxies: pd.DataFrame | None = None,
        canonical: bool = False,
    ) -> None:
        self.space = space
        self.choices = choices if canonical else space.canonicalise(choices)
        self.cost_table = cost_table
        self.proxies = proxies
        if graphs is not None:
            self.__dict__["graphs"] = graphs

    def __len__(self) -> int:
        return len(self.choices)

    def __getitem__(self, rows: slice | NDArray[np.integer] | NDArray[np.bool_]) -> ArchitectureBatch:
        graphs = self.__dict__.get("graphs")
        part = ArchitectureBatch(
            self.space,
            self.choices[rows],
            cost_table=self.cost_table,
            graphs=None if graphs is None else graphs[rows],
            proxies=None if self.proxies is None else self.proxies.iloc[rows],
            canonical=True,
        )
        if "costs" in self.__dict__:
            part.__dict__["costs"] = self.costs.iloc[rows].reset_index(drop=True)
        return part

    def with_proxies(self, proxies: pd.DataFrame) -> ArchitectureBatch:
        """The same architectures, with what was made of them already, and these ``proxies``."""
        other = ArchitectureBatch(self.space, self.choices, cost_table=self.cost_table, proxies=proxies, canonical=True)
        other.__dict__ |= {name: made for name, made in self.__dict__.items() if name in ("graphs", "costs")}
        return other

    @cached_property
    def networks(self) -> NDArray[np.int64]:
        """The number of each row's network, ``[n]``, in the order of their first rows; twins have the same."""
        return distinct_rows(self.choices)[1]

    @cached_property
    def graphs(self) -> ArchitectureGraphs:
        """Architecture graphs, ``[n, v, ...]``."""
        return self.space.graphs(self.choices, canonical=True)

    @cached_property
    def costs(self) -> pd.DataFrame:
        """Counted costs: int64 columns ``macs`` and ``params``, ``n`` rows."""
        from archatlas.costs.table import costs_of

        return costs_of(self.space, self.choices, self.cost_table)
