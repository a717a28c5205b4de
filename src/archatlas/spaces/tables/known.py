"""What the main job takes from a public table in the place of training: the networks that the table knows.

A network is one row here, that of its canonical architecture: isomorphic cells that others have trained as well are
left out, so that accuracy and latency are those of one architecture, as published.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from time import perf_counter

import numpy as np
import pandas as pd

from archatlas.errors import ArchatlasError, nearest
from archatlas.images.description import ImageDescription
from archatlas.spaces.protocol import Choices, SearchSpace
from archatlas.spaces.restricted import restricted
from archatlas.spaces.tables.parameters import TableParameters
from archatlas.spaces.tables.registry import load_table, table_files
from archatlas.spaces.tables.table import BenchmarkTable, Label

CIFAR10 = ImageDescription(
    class_names=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    channels=3,
    image_size=32,
    mean=(0.4914, 0.4822, 0.4465),
    std=(0.2470, 0.2435, 0.2616),
    splits={},
    source="CIFAR-10",
)
"""What the networks of all tables were trained on whose spaces can be searched here. There are no images of it here."""


@dataclass(frozen=True)
class KnownNetworks:
    """The networks of a table that have both accuracies which the main job asks for.

    Attributes:
        table: all of it
        label: the kind of accuracy that stands for evaluations, and that winners are chosen by
        truth: the kind that they are judged by
    """

    table: BenchmarkTable
    label: Label
    truth: Label

    @cached_property
    def rows(self) -> pd.DataFrame:
        """A row of the table per network, indexed by its canonical name."""
        columns = list(dict.fromkeys((self.label.column, self.truth.column)))
        known = self.table.rows.dropna(subset=columns)["network"].drop_duplicates()
        rows = self.table.rows_of(known.tolist())
        return rows.set_index("network", drop=False).dropna(subset=columns)

    @cached_property
    def choices(self) -> Choices:
        """Canonical choices of the networks, in the order of ``rows``."""
        return self.table.space.parse(self.rows.index.to_numpy(dtype=np.str_))

    @cached_property
    def sha256(self) -> str:
        """A digest of which networks they are, in which order, and of how many architectures there are."""
        digest = hashlib.sha256(f"{self.choices.shape} {self._architectures}".encode())
        digest.update(np.ascontiguousarray(self.choices).tobytes())
        return digest.hexdigest()

    @cached_property
    def _architectures(self) -> int:
        return int(self.table.rows["architecture"].nunique())

    @cached_property
    def space(self) -> SearchSpace:
        """The table's space with these networks alone."""
        return restricted(self.table.space, self.choices, self._architectures)

    def evaluations(self, networks: Sequence[str]) -> pd.DataFrame:
        """Rows as those of ``evaluate_subnets`` by canonical names: one per training, or one where trainings lack."""
        return self.table.evaluations(self.label.name, networks, by_training=self._has_all_trainings(self.label))

    def timed_evaluations(self, networks: Sequence[str]) -> tuple[pd.DataFrame, dict[str, float]]:
        """``evaluations``, and how fast they were looked up: architectures, seconds, architectures_per_second."""
        began = perf_counter()
        found = self.evaluations(networks)
        seconds = max(perf_counter() - began, 1e-9)
        count = len(networks)
        return found, {"architectures": count, "seconds": seconds, "architectures_per_second": count / seconds}

    def trainings(self, networks: Sequence[str]) -> pd.DataFrame:
        """What the table says of networks by canonical names: network, seed, label_accuracy, true_accuracy.

        A row per training where both kinds of accuracy are known training by training; else the true accuracy is the
        mean, beside each of the others.
        """
        seen = self.evaluations(networks)
        alike = len(self.label.trainings) == len(self.truth.trainings)
        paired = alike and self._has_all_trainings(self.label) and self._has_all_trainings(self.truth)
        columns = self.truth.trainings if paired else (self.truth.column,)
        truths = self.rows.loc[seen["network"], list(columns)].to_numpy(dtype=np.float64)
        seeds = seen["seed"].to_numpy(dtype=np.int64)
        return pd.DataFrame(
            {
                "network": seen["network"],
                "seed": seeds,
                "label_accuracy": seen["accuracy"],
                "true_accuracy": truths[np.arange(len(seen)), seeds if paired else 0],
            }
        )

    def latency(self, column: str) -> pd.Series:
        """Measured latency in ms by canonical name; NaN where the table has no valid figure.

        Raises:
            ArchatlasError: the table has no such latency.
        """
        if column not in self.table.latencies:
            hint = nearest(column, self.table.latencies) or "; it has none at all"
            raise ArchatlasError(f"`costs.latency.column`: the table {self.table.name} has no latency {column!r}{hint}")
        return self.rows[column].astype("float64").rename("latency_ms")

    def _has_all_trainings(self, label: Label) -> bool:
        return bool(label.trainings) and bool(self.rows[list(label.trainings)].notna().all(axis=None))


def known_networks(parameters: TableParameters) -> KnownNetworks:
    """The networks of the table that the parameters name; in one process it is read anew only if a file of it changes.

    Raises:
        ArchatlasError: its file is missing or damaged, or it has no accuracy of a kind that is asked for.
    """
    files = table_files(parameters)
    states = [(file, file.stat()) for file in files]
    stamps = tuple((str(file), state.st_size, state.st_mtime_ns, state.st_ctime_ns) for file, state in states)
    return _read(parameters, str(files[0]), stamps)


@lru_cache(maxsize=1)
def _read(parameters: TableParameters, file: str, _stamps: tuple[tuple[str, int, int, int], ...]) -> KnownNetworks:
    table = load_table(parameters.model_copy(update={"path": file}))
    return KnownNetworks(table, table.label(parameters.label), table.label(parameters.truth))
