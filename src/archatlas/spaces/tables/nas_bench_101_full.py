"""All 423,624 cells of NAS-Bench-101 with their mean test accuracy, and 20,001 of them with validation accuracy.

Cells are given as their canonical rows are numbered (``spaces/vertex_cells.py``): bit i of ``edges`` is the i-th entry
of the adjacency matrix's upper triangle, column by column, and ``operations`` has a digit for each inner vertex. Only
test accuracy is known of all cells, and as the mean of three trainings.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from archatlas.errors import ArchatlasError
from archatlas.spaces.nas_bench_101 import NasBench101
from archatlas.spaces.protocol import Choices
from archatlas.spaces.tables.files import read_csv
from archatlas.spaces.tables.table import Label

Floats = NDArray[np.float64]

FILE = "nas_bench_101_full/nas_bench_101_full.csv.gz"
VALIDATION = "nas_bench_101_validation_20001.csv.gz"
PAGE = "https://github.com/nicolocavagnero/FreeREA and https://github.com/tiga1231/nasbench-vis"

_IMAGES, _TEST_IMAGES = 10_000, 29_952
_EPOCHS = {"val_4": "validation_4", "val_12": "validation_12", "val_36": "validation_36", "val_108": "validation"}
_NEAR = 20

LABELS = (Label("test", _IMAGES), *(Label(name, _IMAGES) for name in reversed(_EPOCHS.values())))


def beside(file: Path) -> list[Path]:
    """What else is read where the table is ``file``: validation accuracies, if they lie beside it."""
    validation = file.with_name(VALIDATION)
    return [validation] if validation.is_file() else []


def read_all(file: Path, space: NasBench101) -> pd.DataFrame:
    """A row per cell: architecture and network (both canonical), ``test_accuracy``, ``table_params``.

    Where they are known also ``validation_accuracy`` of one training, the same after 4, 12 and 36 epochs, and
    ``training_seconds``.

    Raises:
        ArchatlasError: a file is damaged or another one.
    """
    raw = read_csv(file, ["edges", "operations", "test_correct_of_29952", "params"], PAGE)
    numbers = _numbers(raw, space, file)
    names = pd.Series(space.names(_choices(raw, space)), dtype="str")
    columns = {
        "architecture": names,
        "network": names,
        "test_accuracy": raw["test_correct_of_29952"] / _TEST_IMAGES,
        "table_params": raw["params"].astype("int64"),
    }
    known = pd.DataFrame(columns=[*_EPOCHS, "train_s"], dtype="float64")
    for other in beside(file):
        part = read_csv(other, ["edges", "operations", *_EPOCHS, "train_s"], PAGE)
        known = part.set_index(_numbers(part, space, other))[[*_EPOCHS, "train_s"]]
    known = known.rename(
        columns={"train_s": "training_seconds"} | {old: f"{new}_accuracy" for old, new in _EPOCHS.items()}
    )
    return pd.concat([pd.DataFrame(columns), known.reindex(numbers).reset_index(drop=True)], axis=1)


def _operations(raw: pd.DataFrame, space: NasBench101) -> NDArray[np.int64]:
    """A choice for each inner vertex; leading zeros may have been lost."""
    digits = 10 ** np.arange(space.vertices - 3, -1, -1)
    return raw["operations"].to_numpy(dtype=np.int64)[:, None] // digits % 10


def _choices(raw: pd.DataFrame, space: NasBench101) -> Choices:
    edges = raw["edges"].to_numpy(dtype=np.int64)[:, None] >> np.arange(len(space.cells.pairs)) & 1
    return np.concatenate([edges, _operations(raw, space)], axis=1).astype(np.int8)


def _numbers(raw: pd.DataFrame, space: NasBench101, file: Path) -> pd.Index:
    """A number for each cell; ArchatlasError where there is none, or one cell twice."""
    operations, pairs = _operations(raw, space), len(space.cells.pairs)
    edges = raw["edges"].to_numpy(dtype=np.int64)
    kinds = len(space.operations)
    numbers: pd.Index = pd.Index(edges * kinds**space.cells.inner + operations @ kinds ** np.arange(space.cells.inner))
    if (operations >= kinds).any() or (edges >= 2**pairs).any() or (edges < 1).any() or not numbers.is_unique:
        raise ArchatlasError(f"{file} has a row that is no cell, or one cell twice: get it again from {PAGE}")
    return numbers


@dataclass(frozen=True)
class OneTraining:
    """What the validation accuracy of one training says where the test mean of three is known, by level of the latter.

    Networks with both give ratios: the validation error of one training to the test error of three. To another network
    the ratio of one of them applies, drawn from the twenty whose test accuracies are nearest. So noise has the size and
    the shape that it has at that level, also at the bottom, where one training of three may have failed and the
    validation accuracy lie tens of points higher, but not above that of networks that never fail: differences in the
    place of ratios would say that. Among the networks with both, random search by such accuracies finds what it finds
    by the real ones. Noise of the mean of three is in them, too, so they are rather too noisy than not enough.

    Shapes:
        levels, ratios: float64 ``[n]``, by rising test accuracy
    """

    levels: Floats
    ratios: Floats

    @classmethod
    def of(cls, rows: pd.DataFrame) -> Self:
        """From rows as of ``read_all``, of which some have both accuracies."""
        both = rows[["test_accuracy", "validation_accuracy"]].dropna().sort_values("test_accuracy", kind="stable")
        test, validation = both[both["test_accuracy"] < 1].to_numpy(dtype=np.float64).T
        return cls(test, (1 - validation) / (1 - test))

    def size(self, accuracy: Floats) -> Floats:
        """Standard deviations of one training's validation accuracy at these test accuracies, ``[n]``."""
        near = np.lib.stride_tricks.sliding_window_view(self.ratios, self._near)
        return np.asarray((1 - accuracy) * near.std(axis=1, ddof=1)[self._first(accuracy)])

    def observed(self, accuracy: Floats, generator: np.random.Generator) -> Floats:
        """Validation accuracies of one training each, as they may be at these test accuracies ``[n]``."""
        drawn = self._first(accuracy) + generator.integers(self._near, size=len(accuracy))
        seen: Floats = np.clip(1 - (1 - accuracy) * self.ratios[drawn], 0.0, 1.0)
        return seen

    @property
    def _near(self) -> int:
        return min(_NEAR, len(self.levels))

    def _first(self, accuracy: Floats) -> NDArray[np.int64]:
        """Where the nearest levels begin."""
        places = np.searchsorted(self.levels, accuracy) - self._near // 2
        return np.clip(places, 0, len(self.levels) - self._near)
