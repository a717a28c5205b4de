"""Logits of a chain's subnets, each prefix computed once.

In a chain, the batch-norm statistics and the activations at a position depend on the choices up to it alone. So each
prefix carries two streams: the calibration images, normalised by their own batches' statistics, and the validation
images, normalised by the running statistics that the calibration images leave behind. Rows in lexicographic order are
the leaves of the prefix tree from left to right; walking them with the streams of one path at hand, one per depth,
computes every prefix once and keeps no more than one activation per depth and image. Where rows come one at a time and
in any order, more of them can be kept (``supernet/kept.py``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from archatlas.networks.batch_norm import estimating, norm_layers
from archatlas.networks.blocks import is_identity
from archatlas.spaces.protocol import Choices
from archatlas.supernet.chain import ChainSupernet
from archatlas.supernet.kept import Kept


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

    @property
    def size(self) -> int:
        """Bytes of both."""
        return sum(batch.nbytes for batch in (*self.calibration, *self.validation))


def prefix_shared_logits(
    supernet: ChainSupernet,
    rows: Choices,
    calibration: Sequence[Tensor],
    validation: Sequence[Tensor],
    kept: Kept | None = None,
) -> Iterator[Tensor]:
    """Logits ``[n, classes]`` (float32) of every row on the validation batches, in the rows' order.

    Work is shared between neighbours: sort the rows. What ``kept`` holds of earlier calls, with the same super-network
    and batches, is used again. Changes the running statistics of ``supernet`` and leaves it in eval mode: hand in a
    copy.
    """
    if supernet.training:
        supernet.eval()
    head_layers = norm_layers(supernet.head)
    kept = Kept() if kept is None else kept

    @cache
    def block(position: int, choice: int) -> tuple[nn.Module, Sequence[_BatchNorm]]:
        module = supernet.block(position, choice)
        return module, norm_layers(module)

    for row in rows:
        with torch.inference_mode():
            depth, streams = kept.longest_prefix(row)
            if streams is None:
                streams = Streams(calibration, validation).through(supernet.stem, norm_layers(supernet.stem))
                kept.keep(row[:0], streams, streams.size)
            for position in range(depth, len(row)):
                streams = streams.through(*block(position, int(row[position])))
                if position + 1 < len(row):  # No other network goes on from the last one.
                    kept.keep(row[: position + 1], streams, streams.size)
            logits = head_logits(supernet.head, head_layers, streams)
        yield logits


def head_logits(head: nn.Module, layers: Sequence[_BatchNorm], streams: Streams) -> Tensor:
    """Logits ``[n, classes]`` (float32) of the validation stream; ``layers`` are the head's batch-norm layers."""
    if layers:
        with estimating(layers):
            for batch in streams.calibration:
                head(batch)
    return torch.cat([head(batch).float() for batch in streams.validation])
