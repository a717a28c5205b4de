"""Tables by name. A new one is a file beside this one, its name in ``parameters.py`` and a line below."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import cast

from archatlas.registry import Registry
from archatlas.spaces.tables.parameters import TableParameters
from archatlas.spaces.tables.table import BenchmarkTable

TABLES = Registry(
    "table",
    {
        "nas_bench_201": "archatlas.spaces.tables.nas_bench_201",
        "nas_bench_101": "archatlas.spaces.tables.nas_bench_101",
        "nas_bench_macro": "archatlas.spaces.tables.nas_bench_macro",
        "transnas_bench_101_micro": "archatlas.spaces.tables.transnas_bench_101_micro",
        "once_for_all_mobilenet_v3": "archatlas.spaces.tables.once_for_all",
        "accel_nasbench": "archatlas.spaces.tables.accel_nasbench",
    },
)
"""Modules, each with ``find``, ``load`` and, where it reads more than one file, ``beside``."""


def table_file(parameters: TableParameters) -> Path:
    """The file (or folder) that holds the accuracies of the table that the parameters name.

    Raises:
        ArchatlasError: it is missing; says which, and where it is to be had.
    """
    return cast(Path, _module(parameters.name).find(parameters.path))


def table_files(parameters: TableParameters) -> list[Path]:
    """All files (or folders) that ``load_table`` reads: that of the accuracies first, then what lies beside it.

    Raises:
        ArchatlasError: the first is missing; says which, and where it is to be had.
    """
    file = table_file(parameters)
    beside = getattr(_module(parameters.name), "beside", None)
    return [file, *(() if beside is None else beside(file))]


def load_table(parameters: TableParameters) -> BenchmarkTable:
    """The table that the parameters name.

    Raises:
        ArchatlasError: its file is missing (says which, and where it is to be had) or damaged.
    """
    return cast(BenchmarkTable, _module(parameters.name).load(parameters.path))


def _module(name: str) -> ModuleType:
    return cast(ModuleType, TABLES.load(name))
