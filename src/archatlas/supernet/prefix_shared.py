"""Logits of a chain's subnets, each prefix computed once.

In a chain, the batch-norm statistics and the activations at a position depend on the choices up to it alone. So each
prefix carries two streams: the calibration images, normalised by their own batches' statistics, and the validation
images, normalised by the running statistics that the calibration images leave behind. Rows in lexicographic order are
the leaves of the prefix tree from left to right; walking them with a stack of streams, one per depth, computes every
prefix once and keeps no more than one activation per depth and image.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from archatlas.networks.batch_norm import estimating, norm_layers
from archatlas.networks.blocks import is_identity
from archatlas.spaces.protocol import Choices
from archatlas.supernet.chain import ChainSupernet


@dataclass(frozen=True)
class Streams:
    """What a prefix makes of the calibration and of the validation images, batch by batch."""

    calibration: Sequence[Tensor]
    validation: Sequence[Tensor]

    def through(self, block: nn.Module, layers: Sequence[_BatchNorm]) -> Streams:
        """Both streams after ``block``, whose batch-norm layers are ``layers``."""
        if is_identity(block):
            return self
        with estimating(layers):
            calibration = [block(batch) for batch in self.calibration]
        return Streams(calibration, [block(batch) for batch in self.validation])


def prefix_shared_logits(
    supernet: ChainSupernet, rows: Choices, calibration: Sequence[Tensor], validation: Sequence[Tensor]
) -> Iterator[Tensor]:
    """Logits ``[n, classes]`` (float32) of every row on the validation batches, in the rows' order.

    Work is shared between neighbours: sort the rows. Changes the running statistics of ``supernet`` and leaves it in
    eval mode: hand in a copy.
    """
    supernet.eval()
    blocks = [[(block, norm_layers(block)) for block in choices] for choices in _positions(supernet)]
    head_layers = norm_layers(supernet.head)
    stack: list[Streams] = []
    before: Choices | None = None
    for row in rows:
        with torch.inference_mode():
            if before is None:
                stack.append(Streams(calibration, validation).through(supernet.stem, norm_layers(supernet.stem)))
                kept = 0
            else:
                kept = shared_prefix(before, row)
            del stack[kept + 1 :]
            for position in range(kept, len(row)):
                stack.append(stack[-1].through(*blocks[position][int(row[position])]))
            logits = head_logits(supernet.head, head_layers, stack[-1])
        before = row
        yield logits


def shared_prefix(row: Choices, other: Choices) -> int:
    """How many positions from the first on are equal."""
    different = np.flatnonzero(row != other)
    return int(different[0]) if len(different) else len(row)


def _positions(supernet: ChainSupernet) -> Iterator[nn.ModuleList]:
    for choices in supernet.blocks:
        assert isinstance(choices, nn.ModuleList)
        yield choices


def head_logits(head: nn.Module, layers: Sequence[_BatchNorm], streams: Streams) -> Tensor:
    """Logits ``[n, classes]`` (float32) of the validation stream; ``layers`` are the head's batch-norm layers."""
    if layers:
        with estimating(layers):
            for batch in streams.calibration:
                head(batch)
    return torch.cat([head(batch).float() for batch in streams.validation])
