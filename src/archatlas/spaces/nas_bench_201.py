"""NAS-Bench-201 (Dong & Yang, ICLR 2020, arXiv 2001.00326): a cell of four nodes with an operation on each edge.

The cell is repeated through stages that double the width and halve the size, with a residual block between stages. The
benchmark's own network has 16, 32 and 64 channels and five cells per stage; any other width and depth can be asked for.
Dead operations (see ``spaces/edge_cells.py``) are not built and cost nothing, unlike in the benchmark's own figures:
``table_costs`` gives those.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from archatlas.spaces.cell_parameters import CellParameters
from archatlas.spaces.cells import CellSpace
from archatlas.spaces.chain_parts import Stage, fields_of
from archatlas.spaces.edge_cells import NONE
from archatlas.spaces.protocol import Choices

if TYPE_CHECKING:
    from torch import nn

    from archatlas.networks.counting import ModuleCost

STAGES = (Stage(16, 5, 1), Stage(32, 5, 2), Stage(64, 5, 2))
"""The benchmark's own network; its stem has 16 channels."""


@dataclass(frozen=True)
class NasBench201(CellSpace):
    """The cells of NAS-Bench-201 in a network of ``stages``, each ``depth`` cells of ``width`` channels.

    Implements SearchSpace, Enumerable, HasTwins and CountedInBulk. A stage that changes the stem's or the last stage's
    shape begins with a residual block.
    """

    kind: ClassVar[str] = "nas_bench_201"
    operations: ClassVar[tuple[str, ...]] = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")

    stem_width: int = STAGES[0].width
    stages: tuple[Stage, ...] = STAGES

    @classmethod
    def of(cls, parameters: CellParameters, input_shape: tuple[int, int, int], num_classes: int) -> Self:
        """The network that ``parameters`` ask for."""
        return cls(parameters.preset, input_shape, num_classes, **fields_of(parameters))

    @classmethod
    def spell(cls, choices: tuple[int, ...]) -> str:
        """``|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|...|``: operations into each node, with their sources."""
        words = [cls.operations[choice] for choice in choices]
        return "|{}~0|+|{}~0|{}~1|+|{}~0|{}~1|{}~2|".format(*words)

    # -- Costs -----------------------------------------------------------------------------------------------------

    def counted_costs(self, choices: Choices) -> dict[str, NDArray[np.int64]]:
        """Counted MACs (of one image) and parameters of each row ``[n]``: skeleton and live operations."""
        pruned = self.prune(choices)
        fixed, operations = self._counted
        counts = [(pruned == choice).sum(axis=1, dtype=np.int64) for choice in range(len(self.operations))]
        macs = sum((count * cost.macs for count, cost in zip(counts, operations, strict=True)), start=fixed.macs)
        params = sum((count * cost.params for count, cost in zip(counts, operations, strict=True)), start=fixed.params)
        return {"macs": np.asarray(macs), "params": np.asarray(params)}

    @cached_property
    def _counted(self) -> tuple[ModuleCost, list[ModuleCost]]:
        """What the skeleton costs, and what each operation adds where it is the only one."""
        from archatlas.networks.counting import ModuleCost, count_module

        alone = [[NONE] * 3 + [choice] + [NONE] * 2 for choice in range(len(self.operations))]
        counted = [count_module(partial(self.build, row), self.input_shape) for row in alone]
        fixed = counted[NONE]
        return fixed, [ModuleCost(cost.macs - fixed.macs, cost.params - fixed.params) for cost in counted]

    # -- Modules ---------------------------------------------------------------------------------------------------

    def make_stem(self) -> nn.Module:
        """3x3 convolution and batch norm."""
        from archatlas.networks.blocks import ConvNorm

        return ConvNorm(self.input_shape[0], self.stem_width, 3, activation=None)

    def make_reduction(self, stage: int) -> nn.Module | None:
        """The residual block that a stage begins with; None where the shape stays."""
        from archatlas.networks.cells import ResidualReduction

        before = self.stages[stage - 1].width if stage else self.stem_width
        width, stride = self.stages[stage].width, self.stages[stage].stride
        return None if stride == 1 and width == before else ResidualReduction(before, width, stride)

    def make_operation(self, stage: int, choice: int) -> nn.Module:
        """One operation of a cell of a stage; none has no module."""
        from torch import nn

        from archatlas.networks.cells import PreActivationConv

        width = self.stages[stage].width
        match self.operations[choice]:
            case "skip_connect":
                return nn.Identity()
            case "nor_conv_1x1":
                return PreActivationConv(width, width, 1)
            case "nor_conv_3x3":
                return PreActivationConv(width, width, 3)
            case "avg_pool_3x3":
                return nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
        raise ValueError(f"{self.operations[choice]} computes nothing")

    def make_head(self) -> nn.Module:
        """Batch norm, ReLU, global average, classifier."""
        from archatlas.networks.cells import NormHead

        return NormHead(self.stages[-1].width, self.num_classes)

    def build(self, choices: ArrayLike) -> nn.Module:
        from archatlas.networks.blocks import Chain
        from archatlas.networks.cells import EdgeCell

        row = self.prune(self.validate(np.atleast_2d(np.asarray(choices))))[0]
        blocks: list[nn.Module] = []
        for index, stage in enumerate(self.stages):
            reduction = self.make_reduction(index)
            blocks += [] if reduction is None else [reduction]
            for _ in range(stage.depth):
                live = {e: self.make_operation(index, int(choice)) for e, choice in enumerate(row) if choice != NONE}
                blocks.append(EdgeCell(self.cells.edges, live))
        return Chain(self.make_stem(), blocks, self.make_head())


def table_costs(choices: Choices) -> dict[str, NDArray[np.float64]]:
    """``params_m`` and ``flops_m`` (both in millions) of each row ``[n]`` as the benchmark's own table has them.

    With n1, n3 and p its 1x1 convolutions, 3x3 convolutions and average pools, dead ones among them, for the
    benchmark's network on CIFAR-10: params = 0.073306 + 0.028 n1 + 0.24304 n3 and
    FLOPs = 7.943872 + 4.36224 n1 + 35.81952 n3 + 1.29024 p, a multiply-accumulate being one.
    """
    n1, n3, pools = ((choices == NasBench201.operations.index(word)).sum(axis=1) for word in _COUNTED)
    return {
        "params_m": 0.073306 + 0.028 * n1 + 0.24304 * n3,
        "flops_m": 7.943872 + 4.36224 * n1 + 35.81952 * n3 + 1.29024 * pools,
    }


_COUNTED = ("nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
