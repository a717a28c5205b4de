"""The table of NAS-Bench-Macro (Su et al., CVPR 2021, arXiv 2103.11922), Apache-2.0."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from archatlas.errors import ArchatlasError
from archatlas.spaces.presets import preset
from archatlas.spaces.tables.files import find_file
from archatlas.spaces.tables.table import BenchmarkTable, Label

FILE = "nas_bench_macro/nas-bench-macro_cifar10.json"
PAGE = "https://github.com/xiusu/NAS-Bench-Macro (data/nas-bench-macro_cifar10.json)"
TRAININGS = 3


def find(path: str | None) -> Path:
    """The table's file; ArchatlasError says where to get it if it is not there."""
    return find_file(path, [FILE], PAGE)


def load(path: str | None = None) -> BenchmarkTable:
    """6,561 chains (3,969 networks) trained alone on CIFAR-10, three seeds each: test accuracy, params, MACs.

    Twins are copies: they were trained once and have the same accuracies to the last digit.
    """
    file = find(path)
    try:
        entries = json.loads(file.read_text(encoding="utf-8"))
        accuracies = np.array([entry["test_acc"] for entry in entries.values()], dtype=np.float64) / 100
        costs = {
            "table_params": [int(entry["params"]) for entry in entries.values()],
            "table_macs": [int(entry["flops"]) for entry in entries.values()],
        }
    except (ValueError, KeyError, TypeError) as error:
        raise ArchatlasError(f"{file} is damaged ({error!r}): get it again from {PAGE}") from error
    space = preset("nas_bench_macro", (3, 32, 32), 10)
    choices = space.parse(list(entries))
    trainings = tuple(f"test_accuracy_{number}" for number in range(TRAININGS))
    rows = pd.DataFrame(
        {
            "architecture": space.names(choices),
            "network": space.names(space.canonicalise(choices)),
            "test_accuracy": accuracies.mean(axis=1),
            **{column: accuracies[:, number] for number, column in enumerate(trainings)},
            **costs,
        }
    )
    return BenchmarkTable("nas_bench_macro", space, rows, (Label("test", 10_000, trainings),))
