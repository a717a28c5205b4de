"""Tables by name. A new one is a file beside this one, its name in ``parameters.py`` and a line below."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from archatlas.spaces.tables.parameters import TableParameters
from archatlas.spaces.tables.table import BenchmarkTable

_MODULES = {
    "nas_bench_201": "nas_bench_201",
    "nas_bench_101": "nas_bench_101",
    "nas_bench_macro": "nas_bench_macro",
    "transnas_bench_101_micro": "transnas_bench_101_micro",
    "once_for_all_mobilenet_v3": "once_for_all",
    "accel_nasbench": "accel_nasbench",
}


def load_table(parameters: TableParameters) -> BenchmarkTable:
    """The table that the parameters name.

    Raises:
        ArchatlasError: its file is missing (says which, and where it is to be had) or damaged.
    """
    module = import_module(f"archatlas.spaces.tables.{_MODULES[parameters.name]}")
    return cast(BenchmarkTable, module.load(parameters.path))
