"""Logits of subnets, one after the other: the reference, and what spaces without shared prefixes use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from archatlas.networks.batch_norm import estimating, norm_layers
from archatlas.spaces.protocol import Choices
from archatlas.supernet.kept import Kept
from archatlas.supernet.protocol import Supernet


def one_by_one_logits(
    supernet: Supernet,
    rows: Choices,
    calibration: Sequence[Tensor],
    validation: Sequence[Tensor],
    kept: Kept | None = None,
) -> Iterator[Tensor]:
    """Logits ``[n, classes]`` (float32) of every row on the validation batches, in the rows' order.

    Batch-norm statistics are estimated anew for each row from the calibration batches. Changes the running statistics
    of ``supernet`` and leaves it in eval mode: hand in a copy. Nothing is kept for other rows.
    """
    supernet.eval()
    for row in rows:
        path = tuple(int(choice) for choice in row)
        # Those of the path alone: to reset the statistics of all choices would take longer for nothing.
        layers = [layer for part in supernet.parts(path) for layer in norm_layers(part)]
        with torch.inference_mode():
            with estimating(layers):
                for batch in calibration:
                    supernet(batch, path)
            logits = torch.cat([supernet(batch, path).float() for batch in validation])
        yield logits
