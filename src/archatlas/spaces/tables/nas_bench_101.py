"""The table of NAS-Bench-101 (Ying et al., ICML 2019, arXiv 1902.09635) on CIFAR-10, 108 epochs, three trainings.

From the project's copy, 3,609 cells (those of the NAS-Bench-1Shot1 space 2: Zela et al., ICLR 2020); from a copy of all
423,624 (``nas_bench_101_full.py``), if ``table.path`` names it or its folder; or from the benchmark's own file
(``nasbench_records.py``).
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from archatlas.spaces.nas_bench_101 import NasBench101
from archatlas.spaces.tables import nas_bench_101_full
from archatlas.spaces.tables.files import converted, find_file, read_csv
from archatlas.spaces.tables.table import BenchmarkTable, Label

FILE = "nas_bench_101_subset/nas_bench_101_subset.csv.gz"
OFFICIAL = "nasbench_only108.tfrecord"
PAGE = f"https://github.com/google-research/nasbench (the README links to {OFFICIAL}, 499 MB)"
TRAININGS = 3


def find(path: str | None) -> Path:
    """The table's file; ArchatlasError says where to get it if it is not there."""
    return find_file(path, [OFFICIAL, FILE, nas_bench_101_full.FILE], PAGE)


def beside(file: Path) -> list[Path]:
    """What else is read where the table is ``file``."""
    return nas_bench_101_full.beside(file) if _is_full(file) else []


def load(path: str | None = None) -> BenchmarkTable:
    """Cells with validation and test accuracy, training by training; from the benchmark's file also ``table_params``.

    Where several files are there, the benchmark's own is taken before the copies, and the small copy before that of all
    cells, which has means alone. The benchmark's own takes a minute at the first time and is then kept as Parquet
    beside it.
    """
    file = find(path)
    space = NasBench101("nas_bench_101", (3, 32, 32), 10)
    if _is_full(file):
        rows = nas_bench_101_full.read_all(file, space)
        return BenchmarkTable("nas_bench_101", space, rows, nas_bench_101_full.LABELS)
    rows = _official(file) if file.name == OFFICIAL else _copy(file, space)
    labels = tuple(Label(name, 10_000, _trainings(name)) for name in ("validation", "test"))
    return BenchmarkTable("nas_bench_101", space, rows, labels)


def _is_full(file: Path) -> bool:
    return file.name == Path(nas_bench_101_full.FILE).name


def _official(file: Path) -> pd.DataFrame:
    from archatlas.spaces.tables.nasbench_records import read_nasbench_records

    return converted(file, read_nasbench_records)


def _copy(file: Path, space: NasBench101) -> pd.DataFrame:
    nodes = [f"node{vertex}" for vertex in range(1, space.vertices - 1)]
    errors = {
        name: [f"{short}{number}" for number in range(1, TRAININGS + 1)]
        for name, short in (("validation", "val"), ("test", "test"))
    }
    raw = read_csv(file, ["adj_matrix", *nodes, *errors["validation"], *errors["test"]], PAGE)
    matrices = np.array([json.loads(text) for text in raw["adj_matrix"]])
    operations = raw[nodes].to_numpy(dtype=np.str_)
    names = space.names(space.from_matrices(matrices, operations))
    columns = {"architecture": names, "network": names}
    for name, of_trainings in errors.items():
        runs = 1 - raw[of_trainings].to_numpy(dtype=np.float64)
        columns[f"{name}_accuracy"] = runs.mean(axis=1)
        columns |= {column: runs[:, number] for number, column in enumerate(_trainings(name))}
    return pd.DataFrame(columns)


def _trainings(label: str) -> tuple[str, ...]:
    return tuple(f"{label}_accuracy_{number}" for number in range(TRAININGS))
