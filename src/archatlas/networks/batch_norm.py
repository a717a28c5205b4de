"""Batch-norm statistics estimated anew.

A subnet must not be judged with the super-network's running averages, which mix all paths. Its own are estimated
from fixed batches: with ``momentum=None`` PyTorch's batch norm keeps the plain mean over the batches of each batch's
mean and of its unbiased variance, while the batches themselves are normalised by their own (biased) statistics.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def norm_layers(module: nn.Module) -> list[_BatchNorm]:
    """The batch-norm layers of a module that keep running statistics, in the module's order."""
    return [layer for layer in module.modules() if isinstance(layer, _BatchNorm) and layer.track_running_stats]


def reset_running_statistics(layers: Iterable[_BatchNorm]) -> None:
    """Mean 0, variance 1, no batch seen; in place."""
    for layer in layers:
        layer.reset_running_stats()


@contextmanager
def estimating(layers: Sequence[_BatchNorm]) -> Iterator[None]:
    """Within the block, batches that pass these layers make their running statistics, from nothing.

    Only these layers are in train mode; when the block ends, they are in eval mode with their own momentum again.
    """
    momenta = [layer.momentum for layer in layers]
    reset_running_statistics(layers)
    for layer in layers:
        layer.momentum = None
        layer.training = True
    try:
        yield
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
            layer.training = False
