"""Logits of subnets, one after the other: the reference, and what spaces without shared prefixes use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from archatlas.networks.batch_norm import estimating, norm_layers
from archatlas.spaces.protocol import Choices
from archatlas.supernet.cells import CellSupernet
from archatlas.supernet.chain import ChainSupernet


def one_by_one_logits(
    supernet: nn.Module, rows: Choices, calibration: Sequence[Tensor], validation: Sequence[Tensor]
) -> Iterator[Tensor]:
    """Logits ``[n, classes]`` (float32) of every row on the validation batches, in the rows' order.

    Batch-norm statistics are estimated anew for each row from the calibration batches. Changes the running statistics
    of ``supernet`` and leaves it in eval mode: hand in a copy.
    """
    supernet.eval()
    for row in rows:
        path = tuple(int(choice) for choice in row)
        layers = _norm_layers_of(supernet, path)
        with torch.inference_mode():
            with estimating(layers):
                for batch in calibration:
                    supernet(batch, path)
            logits = torch.cat([supernet(batch, path).float() for batch in validation])
        yield logits


def _norm_layers_of(supernet: nn.Module, path: Sequence[int]) -> list[_BatchNorm]:
    if isinstance(supernet, CellSupernet):
        return [layer for part in supernet.parts(path) for layer in norm_layers(part)]
    if not isinstance(supernet, ChainSupernet):
        return norm_layers(supernet)
    # Those of the path alone: resetting all choices' statistics would slow the reference down for nothing.
    return [layer for part in (supernet.stem, *supernet.path(path), supernet.head) for layer in norm_layers(part)]
