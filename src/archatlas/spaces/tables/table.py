"""A public table of accuracies: architectures that others have trained, with what they and others measured of them.

From a predictor's side, a table is a batch and its labels, split so that no network is on both sides::

    table = load_table(TableParameters(name="nas_bench_201"))
    batch = ArchitectureBatch(table.space, table.choices)           # choices, graphs and costs, when asked for
    truth = table.rows["test_accuracy"].to_numpy()                  # 0 to 1; what there is: table.labels
    known = table.rows["network"].isin(some_networks).to_numpy()    # twins and isomorphic cells share a network
    predictor.fit(batch[known], Evaluations(truth[known], noise, source))

From the main job's side, it stands in the place of training and evaluating super-networks, and of training alone::

    evaluations = table.evaluations("validation", names)   # the columns of `evaluate_subnets`, source "table"
    table.rows_of(winners)["test_accuracy"]                # verification by looking up
    table.best("test", at_most={"help_pixel3": 12.0})      # what a perfect search would have found
    table.ceilings("test")                                 # how well one training ranks as another does

Accuracies are parts of one. Costs that a table brings along (``table_params``, ``table_macs``) are the table's own
figures and stand beside the counted ones, never in their place; measured latency and energy keep their source's names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from archatlas.errors import ArchatlasError, nearest
from archatlas.spaces.protocol import Choices, SearchSpace


@dataclass(frozen=True)
class Label:
    """A kind of accuracy: the column ``<name>_accuracy``, and those of the single trainings that it is the mean of.

    ``trainings`` is empty where a table has the mean alone. ``images``: how many each accuracy was measured on.
    """

    name: str
    images: int
    trainings: tuple[str, ...] = ()

    @property
    def column(self) -> str:
        return f"{self.name}_accuracy"


@dataclass(frozen=True)
class BenchmarkTable:
    """Rows of a table, one per architecture (and run, where a table has runs).

    Attributes:
        name: as in ``TableParameters``
        space: what ``architecture`` names members of
        rows: columns architecture (name as spelled), network (canonical name), one or more ``<label>_accuracy`` (0 to
            1), the single trainings behind them, and what else the table knows
        labels: the kinds of accuracy
        hardware: columns of measured latency, energy or throughput; NaN where there is no valid measurement
        proxies: columns of zero-cost proxies
        latencies: those of ``hardware`` that are a latency in ms
    """

    name: str
    space: SearchSpace
    rows: pd.DataFrame
    labels: tuple[Label, ...]
    hardware: tuple[str, ...] = field(default=())
    proxies: tuple[str, ...] = field(default=())
    latencies: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def choices(self) -> Choices:
        """The choices of each row as spelled, ``[n, positions]``."""
        return self.space.parse(self.rows["architecture"].to_numpy(dtype=np.str_))

    def label(self, name: str) -> Label:
        """The kind of accuracy ``name``; ArchatlasError if the table has none of it."""
        known = {label.name: label for label in self.labels}
        if name not in known:
            raise ArchatlasError(f"the table {self.name} has no {name!r} accuracy{nearest(name, known)}")
        return known[name]

    def networks(self) -> BenchmarkTable:
        """The table with one row per network: numbers are means over its architectures, and missing where all are.

        Its architectures are the canonical ones. Rows keep the order in which networks first appear.
        """
        numbers = self.rows.select_dtypes("number").columns
        merged = self.rows.groupby("network", sort=False)[list(numbers)].mean().reset_index()
        merged.insert(0, "architecture", merged["network"])
        return replace(self, rows=merged)

    def rows_of(self, architectures: Sequence[str]) -> pd.DataFrame:
        """The rows of these architectures, in their order, indexed from 0; twins in the table answer for others.

        Raises:
            ArchatlasError: the table has neither an architecture nor a twin of it.
        """
        names = np.asarray(list(architectures), dtype=np.str_)
        if not len(names):
            return self.rows.iloc[:0]
        places = _places(self.rows["architecture"], names)
        other = np.flatnonzero(places < 0)
        canonical = self.space.names(self.space.canonicalise(self.space.parse(names[other])))
        places[other] = _places(self.rows["network"], canonical)
        unknown = np.flatnonzero(places < 0)
        if len(unknown):
            raise ArchatlasError(
                f"the table {self.name} has no row for {str(names[unknown[0]])!r} ({len(unknown)} are missing)"
            )
        return self.rows.iloc[places].reset_index(drop=True)

    def evaluations(self, label: str, architectures: Sequence[str], *, by_training: bool = True) -> pd.DataFrame:
        """Rows as those of ``evaluate_subnets`` with source "table".

        Args:
            label: a kind of accuracy
            architectures: names; rows keep their order
            by_training: a row for each training that is known, rather than for the mean

        Returns:
            Columns architecture, network, seed (number of the training, or 0), half ("a"), accuracy, log_loss (NaN),
            images, source, noise (binomial standard error). What an architecture lacks is left out.
        """
        kind = self.label(label)
        rows = self.rows_of(architectures)
        columns = kind.trainings if by_training and kind.trainings else (kind.column,)
        accuracy = rows[list(columns)].to_numpy(dtype=np.float64).reshape(-1)
        names = np.asarray(list(architectures), dtype=np.str_)
        table = pd.DataFrame(
            {
                "architecture": np.repeat(names, len(columns)),
                "network": np.repeat(rows["network"].to_numpy(dtype=np.str_), len(columns)),
                "seed": np.tile(np.arange(len(columns), dtype=np.int64), len(rows)),
                "half": "a",
                "accuracy": accuracy,
                "log_loss": np.nan,
                "images": np.int64(kind.images),
                "source": "table",
                "noise": np.sqrt(accuracy * (1 - accuracy) / kind.images),
            }
        )
        known: pd.DataFrame = table.loc[np.isfinite(accuracy)].reset_index(drop=True)
        return known

    def best(self, label: str, at_most: Mapping[str, float] | None = None) -> pd.Series:
        """The row with the highest accuracy among those whose columns keep the bounds; missing figures keep none.

        Raises:
            ArchatlasError: no such column, or no row keeps all bounds.
        """
        kept = self.rows[self.label(label).column].notna()
        for column, limit in (at_most or {}).items():
            if column not in self.rows:
                raise ArchatlasError(
                    f"the table {self.name} has no column {column!r}{nearest(column, map(str, self.rows.columns))}"
                )
            kept &= self.rows[column] <= limit
        if not kept.any():
            raise ArchatlasError(f"no row of the table {self.name} keeps all of {dict(at_most or {})}")
        accuracy = self.rows[self.label(label).column].where(kept).to_numpy(dtype=np.float64)
        row: pd.Series = self.rows.iloc[int(np.nanargmax(accuracy))]
        return row

    def ceilings(self, label: str) -> dict[str, float]:
        """Kendall's tau-b that perfect knowledge of one measurement reaches on another, over distinct networks.

        ``one_training_another``: single trainings against each other; ``one_training_rest``: each against the mean of
        the others (both averaged over all choices); ``twins``: one spelling's accuracy against another's of the same
        network. What the table cannot tell is left out.
        """
        from scipy.stats import kendalltau

        kind = self.label(label)
        found: dict[str, float] = {}
        runs = self.networks().rows[list(kind.trainings)].dropna().to_numpy(dtype=np.float64)
        if runs.shape[1] > 1:
            seeds = range(runs.shape[1])
            pairs = [kendalltau(runs[:, i], runs[:, j])[0] for i in seeds for j in seeds if i < j]
            rest = [kendalltau(runs[:, i], np.delete(runs, i, axis=1).mean(axis=1))[0] for i in seeds]
            found |= {"one_training_another": float(np.mean(pairs)), "one_training_rest": float(np.mean(rest))}
        spelled = self.rows[["network", kind.column]].dropna().groupby("network", sort=False)[kind.column]
        firsts, seconds = spelled.nth(0), spelled.nth(1)
        twins = pd.Series(firsts.to_numpy(), index=self.rows.loc[firsts.index, "network"])
        one, other = twins.loc[self.rows.loc[seconds.index, "network"]].to_numpy(), seconds.to_numpy()
        if len(other) > 1 and (one != other).any():
            found["twins"] = float(kendalltau(one, other)[0])
        return found


def _places(column: pd.Series, names: NDArray[np.str_]) -> NDArray[np.int64]:
    """Where each name first stands in a column, -1 where it does not."""
    first = np.flatnonzero(~column.duplicated().to_numpy())
    places = pd.Index(column.iloc[first]).get_indexer(pd.Index(names))
    return np.where(places < 0, -1, first[places])
