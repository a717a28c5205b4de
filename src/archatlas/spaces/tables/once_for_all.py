"""Once-for-all MobileNetV3, width 1.0 (Cai et al., ICLR 2020, arXiv 1908.09791): subnets with their ImageNet accuracy.

Five units of two to four layers, each with a kernel of 3, 5 or 7 and an expansion of 3, 4 or 6, in the network of
MobileNetV3-Large (Howard et al., ICCV 2019). The rows come from five search runs of DyNAS-T (IntelLabs, Apache-2.0) on
one super-network, so that accuracies are those of a subnet as the super-network gives it, and each run is drawn towards
what its search liked: split by ``run``. Parameters and MACs of the table are exactly those of the networks built here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from archatlas.errors import ArchatlasError
from archatlas.graphs.architecture_graphs import ArchitectureGraphs
from archatlas.spaces.protocol import Choices
from archatlas.spaces.tables.block_chains import BlockChain, chain_graphs, divisible, halved
from archatlas.spaces.tables.files import find_file, read_csv
from archatlas.spaces.tables.table import BenchmarkTable, Label

if TYPE_CHECKING:
    from torch import nn

    from archatlas.networks.blocks import Activation

FOLDER = "ofa_mbv3"
PAGE = "https://github.com/IntelLabs/DyNAS-T (search results of ofa_mbv3_d234_e346_k357_w1.0)"

UNITS, LAYERS, FEWEST = 5, 4, 2
KERNELS, EXPANSIONS = (3, 5, 7), (3, 4, 6)
_BLOCKS = tuple(product(KERNELS, EXPANSIONS))
_ABSENT = len(_BLOCKS)
_STEM, _WIDTHS, _STRIDES = 16, (24, 40, 80, 112, 160), (2, 2, 2, 1, 2)
_SQUEEZED = (False, True, False, True, True)
"""Which units have squeeze-excitation."""
_ACTIVATIONS: tuple[Activation, ...] = ("relu", "relu", "hard_swish", "hard_swish", "hard_swish")
_LAST, _FEATURES = 960, 1280


@dataclass(frozen=True)
class OnceForAllMobileNetV3(BlockChain):
    """One position per layer: nine blocks, and for the third and fourth layer of a unit none.

    Implements SearchSpace, Counted and PrefixShared. Which of the two is absent makes no difference: the canonical row
    leaves out the last. Its 7,371^5 networks are the 2 x 10^19 of the paper.
    """

    name: str = "once_for_all_mobilenet_v3"

    @property
    def tokens(self) -> tuple[tuple[str, ...], ...]:
        words = [f"k{kernel}e{expansion}" for kernel, expansion in _BLOCKS]
        tokens = []
        for position in range(UNITS * LAYERS):
            unit, layer = divmod(position, LAYERS)
            mark = "-" if layer else "_" if unit else ""
            tokens.append(tuple(mark + word for word in (words if layer < FEWEST else [*words, "none"])))
        return tuple(tokens)

    @property
    def networks(self) -> int:
        return int((_ABSENT**2 * (1 + _ABSENT + _ABSENT**2)) ** UNITS)

    def canonicalise(self, choices: Choices) -> Choices:
        rows = np.array(choices, dtype=np.int8).reshape(-1, UNITS, LAYERS)
        order = np.argsort(rows == _ABSENT, axis=2, kind="stable")
        return np.take_along_axis(rows, order, axis=2).reshape(-1, UNITS * LAYERS)

    def draw(self, count: int, generator: np.random.Generator) -> Choices:
        rows = generator.integers(0, _ABSENT, size=(count, UNITS, LAYERS), dtype=np.int8)
        # Of the 1 + 9 + 81 ways to fill the last two layers, 1 fills none and 9 fill one.
        ways = generator.integers(0, 1 + _ABSENT + _ABSENT**2, size=(count, UNITS))
        rows[:, :, 3][ways < 1 + _ABSENT] = _ABSENT
        rows[:, :, 2][ways < 1] = _ABSENT
        return rows.reshape(count, -1)

    @property
    def graph_features(self) -> tuple[str, ...]:
        units = tuple(f"unit_{unit}" for unit in range(UNITS))
        return ("input", "output", *units, "first_in_unit", "kernel", "expansion")

    def graphs(self, choices: Choices, *, canonical: bool = False) -> ArchitectureGraphs:
        """A chain of the layers that are present."""
        rows = choices if canonical else self.canonicalise(choices)
        layers = np.zeros((UNITS * LAYERS, _ABSENT + 1, len(self.graph_features)), dtype=np.float32)
        for position, (choice, (kernel, expansion)) in product(range(UNITS * LAYERS), enumerate(_BLOCKS)):
            unit, layer = divmod(position, LAYERS)
            layers[position, choice, 2 + unit] = 1
            layers[position, choice, -3:] = float(layer == 0), kernel / 7, expansion / 6
        return chain_graphs(layers[np.arange(UNITS * LAYERS), rows], rows != _ABSENT)

    # -- Modules ---------------------------------------------------------------------------------------------------

    def operation(self, position: int, choice: int) -> str:
        """``k5e6``, or ``none``."""
        return "none" if choice == _ABSENT else "k{}e{}".format(*_BLOCKS[choice])

    def make_stem(self) -> nn.Module:
        """3x3 convolution of stride 2, and a first block that does not expand."""
        from torch import nn

        from archatlas.networks.blocks import ConvNorm, MBConv

        first = ConvNorm(self.input_shape[0], _STEM, 3, 2, activation="hard_swish")
        return nn.Sequential(first, MBConv(_STEM, _STEM, kernel=3, expansion=1))

    def make_block(self, position: int, choice: int) -> nn.Module:
        """A layer; an identity where it is absent."""
        from torch import nn

        from archatlas.networks.blocks import MBConv

        if choice == _ABSENT:
            return nn.Identity()
        (unit, layer), (kernel, expansion) = divmod(position, LAYERS), _BLOCKS[choice]
        width = self.block_input_shape(position)[0]
        return MBConv(
            width,
            _WIDTHS[unit],
            kernel=kernel,
            expansion=expansion,
            stride=1 if layer else _STRIDES[unit],
            squeeze_excitation=_SQUEEZED[unit],
            squeezed=divisible(width * expansion / 4),
            activation=_ACTIVATIONS[unit],
        )

    def make_head(self) -> nn.Module:
        """1x1 convolution, global average, another one without batch norm, classifier."""
        from torch import nn

        from archatlas.networks.blocks import ConvNorm

        return nn.Sequential(
            ConvNorm(_WIDTHS[-1], _LAST, activation="hard_swish"),
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(_LAST, _FEATURES, 1, bias=False),
            nn.Hardswish(),
            nn.Flatten(),
            nn.Linear(_FEATURES, self.num_classes),
        )

    def block_input_shape(self, position: int) -> tuple[int, int, int]:
        units, layer = divmod(position, LAYERS)
        strides = _STRIDES[: units + bool(layer)]
        width = (_STEM, *_WIDTHS)[len(strides)]
        height, breadth = (halved(side, (2, *strides)) for side in self.input_shape[1:])
        return width, height, breadth

    def build(self, choices: ArrayLike) -> nn.Module:
        from archatlas.networks.blocks import Chain

        row = self.validate(np.atleast_2d(np.asarray(choices)))[0]
        blocks = [self.make_block(position, choice) for position, choice in enumerate(row.tolist())]
        return Chain(self.make_stem(), blocks, self.make_head())


def find(path: str | None) -> Path:
    """The table's folder; ArchatlasError says where to get it if it is not there."""
    return find_file(path, [FOLDER], PAGE)


def load(path: str | None = None) -> BenchmarkTable:
    """2,373 rows of five runs, repeats within a run removed.

    Columns: architecture, network, run, validation_accuracy (ImageNet, 50,000 images), table_params, table_macs.
    """
    folder = find(path)
    files = sorted(folder.glob("*.csv"))
    if not files:
        raise ArchatlasError(f"{folder} holds no tables (*.csv): get them from {PAGE}")
    rows = pd.concat([_run(file) for file in files], ignore_index=True)
    return BenchmarkTable("once_for_all_mobilenet_v3", OnceForAllMobileNetV3(), rows, (Label("validation", 50_000),))


def _run(file: Path) -> pd.DataFrame:
    space = OnceForAllMobileNetV3()
    raw = read_csv(file, ["Sub-network", "Top-1 Acc (%)", "Model Parameters", "MACs"], PAGE)
    choices = np.array([_choices(text) for text in raw["Sub-network"]], dtype=np.int8)
    names = space.names(space.canonicalise(space.validate(choices)))
    rows = pd.DataFrame(
        {
            "architecture": names,
            "network": names,
            "run": file.stem,
            "validation_accuracy": raw["Top-1 Acc (%)"] / 100,
            "table_params": raw["Model Parameters"].astype("int64"),
            "table_macs": raw["MACs"].astype("int64"),
        }
    )
    return rows.drop_duplicates("network").reset_index(drop=True)


def _choices(text: str) -> list[int]:
    """A row from once-for-all's own lists: kernels ``ks`` and expansions ``e`` of all layers, depths ``d`` of units."""
    subnet: dict[str, list[int]] = json.loads(text.replace("'", '"').replace("None", "null"))
    blocks = [_BLOCKS.index((kernel, expansion)) for kernel, expansion in zip(subnet["ks"], subnet["e"], strict=True)]
    depths = [depth for depth in subnet["d"] for _ in range(LAYERS)]
    return [
        block if i % LAYERS < depth else _ABSENT for i, (block, depth) in enumerate(zip(blocks, depths, strict=True))
    ]
