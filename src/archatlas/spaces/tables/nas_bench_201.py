"""The table of NAS-Bench-201 (Dong & Yang, ICLR 2020, arXiv 2001.00326) on CIFAR-10, with hardware and proxies.

From the project's copy (``nas_bench_201.csv.gz``) or from the benchmark's own file (``nats_bench.py``). The copy joins
test and validation accuracy with latency and energy that were measured on real devices: ``hw_<data set>_<device>_...``
of HW-NAS-Bench (Li et al., ICLR 2021; ms, mJ, operations per byte) and ``help_<device>`` of HELP (Lee et al., NeurIPS
2021; ms, with the batch size at the end where it is not 1), and thirteen zero-cost proxies of the 9,445 pruned cells.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from archatlas.spaces.nas_bench_201 import NasBench201
from archatlas.spaces.tables.files import converted, find_file, read_csv
from archatlas.spaces.tables.table import BenchmarkTable, Label

FILE = "nas_bench_201/nas_bench_201.csv.gz"
PROXIES = "zero_cost_proxies.csv.gz"
OFFICIAL = "NATS-tss-v1_0-3ffb9-simple"
PAGE = f"https://github.com/D-X-Y/NATS-Bench (the folder {OFFICIAL}, unpacked)"
_HARDWARE = ("hw_", "help_")
_COLUMNS = ("arch", "c10_test_mean", "c10_test_seeds", "c10_val", "in16_val_9445", "params_M", "flops_M")


def find(path: str | None) -> Path:
    """The table's file, or the benchmark's own folder; ArchatlasError says where to get it if it is not there."""
    return find_file(path, [FILE, OFFICIAL], PAGE)


def beside(file: Path) -> list[Path]:
    """What else is read where the table is ``file``: the proxies, if they lie beside the copy."""
    proxies = file.with_name(PROXIES)
    return [proxies] if file.name != OFFICIAL and proxies.is_file() else []


def load(path: str | None = None) -> BenchmarkTable:
    """All 15,625 cells: accuracies, table_params and table_macs (with dead operations), hardware, proxies.

    From the copy: ``test_accuracy`` is the mean of one to three trainings (``trainings``) on all training images,
    ``validation_accuracy`` the mean of two on half of them; ``imagenet16_validation_accuracy`` is known for the 9,445
    pruned cells. From the benchmark's own file: every data set, training by training.
    """
    file = find(path)
    return _official(file) if file.name == OFFICIAL else _copy(file)


def _space() -> NasBench201:
    return NasBench201("nas_bench_201", (3, 32, 32), 10)


def _copy(file: Path) -> BenchmarkTable:
    raw = read_csv(file, _COLUMNS, PAGE)
    space = _space()
    choices = space.parse(raw["arch"].to_numpy(dtype=np.str_))
    columns = {
        "architecture": raw["arch"],
        "network": space.names(space.canonicalise(choices)),
        "test_accuracy": raw["c10_test_mean"] / 100,
        "validation_accuracy": raw["c10_val"] / 100,
        "imagenet16_validation_accuracy": raw["in16_val_9445"] / 100,
        "trainings": raw["c10_test_seeds"].astype("int64"),
        "table_params": (raw["params_M"] * 1e6).round().astype("int64"),
        "table_macs": (raw["flops_M"] * 1e6).round().astype("int64"),
    }
    hardware = {name: raw[name].where(raw[name] > 0) for name in raw.columns if name.startswith(_HARDWARE)}
    rows = pd.DataFrame({**columns, **hardware})
    proxies = _proxies(beside(file), rows["architecture"])
    labels = (Label("test", 10_000), Label("validation", 25_000), Label("imagenet16_validation", 3_000))
    rows = pd.concat([rows, proxies], axis=1)
    latencies = tuple(name for name in hardware if name.startswith("help_") or name.endswith("_latency"))
    return BenchmarkTable("nas_bench_201", space, rows, labels, tuple(hardware), tuple(proxies.columns), latencies)


def _proxies(files: list[Path], architectures: pd.Series) -> pd.DataFrame:
    """Columns ``proxy_<name>`` for these architectures, NaN where unknown; none if there is no file."""
    if not files:
        return pd.DataFrame(index=architectures.index)
    known = (
        read_csv(files[0], ["net_str", "flops", "params"], PAGE)
        .set_index("net_str")
        .select_dtypes("number")
        .drop(columns=["flops", "params"])
    )
    return known.add_prefix("proxy_").reindex(architectures).reset_index(drop=True)


def _official(folder: Path) -> BenchmarkTable:
    from archatlas.spaces.tables.nats_bench import LABELS, read_nats_bench

    space = _space()
    rows = converted(folder, read_nats_bench)
    choices = space.parse(rows["architecture"].to_numpy(dtype=np.str_))
    rows.insert(1, "network", space.names(space.canonicalise(choices)))
    return BenchmarkTable("nas_bench_201", space, rows, LABELS)
