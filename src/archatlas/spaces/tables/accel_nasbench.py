"""Accel-NASBench (Ahmad et al., DAC 2024, arXiv 2404.08005): MnasNet-like networks on ImageNet, with accelerators.

Seven blocks of one to three layers (the sixth of up to four), each block with one expansion, kernel and
squeeze-excitation for all its layers (Tan et al., CVPR 2019). Accuracies are those of a shortened, "proxified" training
on ImageNet, Apache-2.0. The networks built here have the table's parameters exactly. Its MACs count more than those of
convolutions: four operations for each value that a batch norm writes, and those of pooling (found by fitting; a test
has the formula for networks without squeeze-excitation).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from archatlas.graphs.architecture_graphs import ArchitectureGraphs
from archatlas.spaces.protocol import Choices, Link
from archatlas.spaces.tables.block_chains import BlockChain, chain_graphs, halved, summed_links
from archatlas.spaces.tables.files import find_file, read_csv
from archatlas.spaces.tables.table import BenchmarkTable, Label

if TYPE_CHECKING:
    from torch import nn

FILE = "accel_nasbench/anb_dataset.csv.gz"
PAGE = "https://github.com/afzalxo/Accel-NASBench (anb_dataset, as one CSV file)"

EXPANSIONS, KERNELS, SQUEEZED = (1, 4, 6), (3, 5), (False, True)
LAYERS = (3, 3, 3, 3, 3, 4, 3)
"""The most layers of each block. Only hand-made reference networks have a block of four."""
_STEM, _WIDTHS, _STRIDES, _LAST = 32, (16, 24, 40, 80, 112, 192, 320), (1, 2, 2, 2, 1, 2, 1), 1280


@dataclass(frozen=True)
class AccelNasBench(BlockChain):
    """Four positions per block: expansion, kernel, layers, squeeze-excitation. Every row is a network of its own.

    Implements SearchSpace, Counted, Linked and CountedInBulk.
    """

    name: str = "accel_nasbench"

    @property
    def tokens(self) -> tuple[tuple[str, ...], ...]:
        tokens: list[tuple[str, ...]] = []
        for block, most in enumerate(LAYERS):
            mark = "_" if block else ""
            tokens.append(tuple(f"{mark}e{expansion}" for expansion in EXPANSIONS))
            tokens.append(tuple(f"k{kernel}" for kernel in KERNELS))
            tokens.append(tuple(f"l{layers}" for layers in range(1, most + 1)))
            tokens.append(tuple(f"s{int(squeezed)}" for squeezed in SQUEEZED))
        return tuple(tokens)

    def canonicalise(self, choices: Choices) -> Choices:
        return np.array(choices, dtype=np.int8)

    def draw(self, count: int, generator: np.random.Generator) -> Choices:
        return generator.integers(0, self.num_choices, size=(count, len(self.num_choices)), dtype=np.int8)

    @property
    def graph_features(self) -> tuple[str, ...]:
        blocks = tuple(f"block_{block}" for block in range(len(LAYERS)))
        return ("input", "output", *blocks, "first_in_block", "kernel", "expansion", "squeeze_excitation")

    def graphs(self, choices: Choices, *, canonical: bool = False) -> ArchitectureGraphs:
        """A chain of layers, block by block."""
        rows = choices.reshape(len(choices), len(LAYERS), 4)
        block = np.repeat(np.arange(len(LAYERS)), LAYERS)
        layer = np.concatenate([np.arange(most) for most in LAYERS])
        features = np.zeros((len(rows), len(block), len(self.graph_features)), dtype=np.float32)
        features[:, np.arange(len(block)), 2 + block] = 1
        features[:, :, -4] = layer == 0
        features[:, :, -3] = np.array(KERNELS)[rows[:, block, 1]] / 5
        features[:, :, -2] = np.array(EXPANSIONS)[rows[:, block, 0]] / 6
        features[:, :, -1] = rows[:, block, 3]
        return chain_graphs(features, layer <= rows[:, block, 2])

    # -- Modules and costs -----------------------------------------------------------------------------------------

    def links(self, row: Choices) -> Sequence[Link]:
        """Stem, layers, head."""
        channels, *sides = self.input_shape
        links = [Link("stem", partial(_make_stem, channels), self.input_shape)]
        width, strides = _STEM, [2]
        for block, (expansion, kernel, layers, squeezed) in enumerate(row.reshape(len(LAYERS), 4).tolist()):
            for layer in range(layers + 1):
                stride = 1 if layer else _STRIDES[block]
                made = EXPANSIONS[expansion], KERNELS[kernel], SQUEEZED[squeezed]
                shape = width, halved(sides[0], strides), halved(sides[1], strides)
                key = block, bool(layer), *made
                links.append(Link(key, partial(_make_layer, width, _WIDTHS[block], stride, *made), shape))
                width = _WIDTHS[block]
                strides.append(stride)
        shape = width, halved(sides[0], strides), halved(sides[1], strides)
        return [*links, Link("head", partial(_make_head, self.num_classes), shape)]

    def counted_costs(self, choices: Choices) -> dict[str, NDArray[np.int64]]:
        return summed_links(self, choices)

    def build(self, choices: ArrayLike) -> nn.Module:
        from archatlas.networks.blocks import Chain

        stem, *blocks, head = (link.make() for link in self.links(self.validate(np.atleast_2d(choices))[0]))
        return Chain(stem, blocks, head)


def _make_stem(channels: int) -> nn.Module:
    from archatlas.networks.blocks import ConvNorm

    return ConvNorm(channels, _STEM, 3, 2)


def _make_layer(width: int, out_width: int, stride: int, expansion: int, kernel: int, squeezed: bool) -> nn.Module:
    """An inverted residual block whose squeeze-excitation has a quarter of the input's channels."""
    from archatlas.networks.blocks import MBConv

    return MBConv(
        width,
        out_width,
        kernel=kernel,
        expansion=expansion,
        stride=stride,
        squeeze_excitation=squeezed,
        squeezed=width // 4,
    )


def _make_head(num_classes: int) -> nn.Module:
    from archatlas.networks.blocks import Head

    return Head(_WIDTHS[-1], _LAST, num_classes)


def find(path: str | None) -> Path:
    """The table's file; ArchatlasError says where to get it if it is not there."""
    return find_file(path, [FILE], PAGE)


def load(path: str | None = None) -> BenchmarkTable:
    """5,138 trainings of 5,125 networks.

    Columns: architecture, network, validation_accuracy (ImageNet, 50,000 images), top5_accuracy, train_seconds,
    table_params, table_macs, and as measured on each accelerator ``latency_<device>`` (ms) and ``throughput_<device>``
    (images per second).
    """
    file = find(path)
    space = AccelNasBench()
    positions = {
        f"block{block}_{what}": values
        for block, most in enumerate(LAYERS)
        for what, values in (("e", EXPANSIONS), ("k", KERNELS), ("l", range(1, most + 1)), ("se", SQUEEZED))
    }
    raw = read_csv(file, [*positions, "val_top1", "val_top5", "train_time", "params", "macs"], PAGE)
    choices = np.stack(
        [pd.Index(values).get_indexer(pd.Index(raw[column])) for column, values in positions.items()], axis=1
    )
    names = space.names(space.validate(choices))
    hardware = [name for name in raw.columns if name.startswith(("latency_", "throughput_"))]
    columns = {
        "architecture": names,
        "network": names,
        "validation_accuracy": raw["val_top1"] / 100,
        "top5_accuracy": raw["val_top5"] / 100,
        "train_seconds": raw["train_time"],
        "table_params": (raw["params"] * 1e6).round().astype("int64"),
        "table_macs": (raw["macs"] * 1e6).round().astype("int64"),
    }
    rows = pd.DataFrame({**columns, **{name: raw[name].where(raw[name] > 0) for name in hardware}})
    return BenchmarkTable("accel_nasbench", space, rows, (Label("validation", 50_000),), tuple(hardware))
