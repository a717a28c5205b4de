"""The benchmark's own files of NATS-Bench, topology space (Dong et al., TPAMI 2021, arXiv 2009.00437).

``NATS-tss-v1_0-3ffb9-simple`` holds a pickled and compressed file for each of the 15,625 cells of NAS-Bench-201: under
the number of epochs of the schedule, the trainings by data set and seed, each with its accuracies epoch by epoch. What
is kept of it is the accuracy after the last epoch. The official loader holds everything in memory; this one holds one
file at a time and lets nothing be unpickled but plain numbers and dictionaries.
"""

from __future__ import annotations

import bz2
import io
import pickle
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from archatlas.errors import ArchatlasError, brief
from archatlas.progress import progress_bar
from archatlas.spaces.tables.table import Label

SCHEDULE = "200"
"""Epochs of the full schedule, the key under which its trainings stand."""

_SETS = {
    "validation": ("cifar10-valid", "x-valid", 25_000),
    "test": ("cifar10", "ori-test", 10_000),
    "cifar100_validation": ("cifar100", "x-valid", 5_000),
    "cifar100_test": ("cifar100", "x-test", 5_000),
    "imagenet16_validation": ("ImageNet16-120", "x-valid", 3_000),
    "imagenet16_test": ("ImageNet16-120", "x-test", 3_000),
}
"""Label: the data set trained on, the part evaluated on, and its images."""

SEEDS = (777, 888, 999)
"""Seeds of the trainings. Most cells have one or two of the three on CIFAR-100 and ImageNet16-120."""

LABELS = tuple(
    Label(name, images, tuple(f"{name}_accuracy_{seed}" for seed in SEEDS)) for name, (_, _, images) in _SETS.items()
)


_MOST_BYTES = 100_000_000
"""Of one cell's file when it is unpacked; the published ones have less than a hundredth of it."""


def read_nats_bench(folder: Path) -> pd.DataFrame:
    """One row per cell: architecture, accuracies (0 to 1; training by training and mean), table_params, table_macs.

    Takes minutes. Accuracies that the files do not have are NaN.

    Raises:
        ArchatlasError: the folder holds no such files, or one is damaged.
    """
    files = sorted(file for file in folder.glob("*.pickle.pbz2") if file.name.split(".")[0].isdigit())
    if not files:
        raise ArchatlasError(f"{folder} holds no files such as 000000.pickle.pbz2: unpack the archive into it")
    rows = [_row(file) for file in progress_bar(files, desc=folder.name, unit="cell")]
    columns = ["architecture", *(column for label in LABELS for column in (label.column, *label.trainings))]
    return pd.DataFrame(rows).reindex(columns=[*columns, "table_params", "table_macs"])


def _row(file: Path) -> dict[str, Any]:
    try:
        with bz2.open(file) as packed:
            content = packed.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise ValueError(f"it unpacks to more than {_MOST_BYTES:,} bytes")
        by_schedule = _Plain(io.BytesIO(content)).load()
        results = by_schedule[SCHEDULE]
        if not isinstance(results["arch_str"], str):  # Lists of lists could be written out for ever.
            raise ValueError("a cell without a name")
        row: dict[str, Any] = {"architecture": results["arch_str"]}
        for label, (data_set, part, _) in _SETS.items():
            accuracies = {
                seed: _last_accuracy(training, part) / 100
                for (trained_on, seed), training in results["all_results"].items()
                if trained_on == data_set and seed in SEEDS and _last(part, training) in training["eval_acc1es"]
            }
            row |= {f"{label}_accuracy_{seed}": accuracy for seed, accuracy in accuracies.items()}
            row[f"{label}_accuracy"] = float(np.mean(list(accuracies.values()))) if accuracies else np.nan
        costs = next(
            training for (trained_on, _), training in results["all_results"].items() if trained_on == "cifar10"
        )
        row["table_params"], row["table_macs"] = round(costs["params"] * 1e6), round(costs["flop"] * 1e6)
    except Exception as error:  # Whatever a pickle of something else leads to.
        raise ArchatlasError(f"{file} is damaged or of another version ({brief(repr(error))}): get it again") from error
    return row


def _last(part: str, training: Mapping[str, Any]) -> str:
    return f"{part}@{int(training['epochs']) - 1}"


def _last_accuracy(training: Mapping[str, Any], part: str) -> float:
    return float(training["eval_acc1es"][_last(part, training)])


_NUMBERS = frozenset(("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"))


class _NumberType:
    """What a pickle calls a ``numpy.dtype``: of plain numbers, since others may be as large as they say."""

    def __init__(self, name: str, *_: object) -> None:
        if name not in _NUMBERS:
            raise pickle.UnpicklingError(f"numbers of type {brief(name)} have no place in a table")
        self.name, self.order = name, "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = str(state[1])


def _number(kind: _NumberType, content: bytes) -> object:
    """What a pickle calls a ``numpy`` scalar; without its bytes NumPy would make up a zero."""
    number: object = np.frombuffer(content, np.dtype(kind.order + kind.name)).item()
    return number


class _Plain(pickle._Unpickler):
    """Unpickles dictionaries, lists, strings and numbers, and nothing that could run code.

    It is the one in Python. That in C takes half the time, but makes room for as many objects as a file says it has.
    """

    _ALLOWED: ClassVar[dict[tuple[str, str], Any]] = {
        ("collections", "OrderedDict"): OrderedDict,
        ("numpy", "dtype"): _NumberType,
        ("numpy.core.multiarray", "scalar"): _number,
        ("numpy._core.multiarray", "scalar"): _number,
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} has no place in a table")
        return self._ALLOWED[module, name]
