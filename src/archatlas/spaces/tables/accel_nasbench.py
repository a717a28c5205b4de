"""Accel-NASBench (Ahmad et al., DAC 2024, arXiv 2404.08005): MnasNet-like networks on ImageNet, with accelerators.

Seven blocks of one to three layers (the sixth of up to four), each block with one expansion, kernel and
squeeze-excitation for all its layers (Tan et al., CVPR 2019). Accuracies are those of a shortened, "proxified" training
on ImageNet, Apache-2.0.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from archatlas.graphs.architecture_graphs import ArchitectureGraphs
from archatlas.spaces.protocol import Choices
from archatlas.spaces.tables.files import find_file, read_csv
from archatlas.spaces.tables.table import BenchmarkTable, Label
from archatlas.spaces.tables.unbuilt import UnbuiltChain, chain_graphs

FILE = "accel_nasbench/anb_dataset.csv.gz"
PAGE = "https://github.com/afzalxo/Accel-NASBench (anb_dataset, as one CSV file)"

EXPANSIONS, KERNELS, SQUEEZED = (1, 4, 6), (3, 5), (False, True)
LAYERS = (3, 3, 3, 3, 3, 4, 3)
"""The most layers of each block. Only hand-made reference networks have a block of four."""


@dataclass(frozen=True)
class AccelNasBench(UnbuiltChain):
    """Four positions per block: expansion, kernel, layers, squeeze-excitation. Every row is a network of its own.

    Implements SearchSpace (but for ``build``).
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
