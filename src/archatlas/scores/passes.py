"""Passes through a network that leave nothing of themselves behind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.func import functional_call


def passed(network: nn.Module, tensors: Mapping[str, Tensor], images: Tensor, *, training: bool) -> Tensor:
    """Logits of ``network`` with these parameters and buffers in the place of its own, in train or eval mode.

    Weights, buffers, modes and the state of random numbers are afterwards what they were; what
    a network draws (dropout) is the same each time.
    """
    with _in_mode(network, training), _own_random_numbers(images.device):
        logits: Tensor = functional_call(network, dict(tensors), (images,))
    return logits


@contextmanager
def _own_random_numbers(device: torch.device) -> Iterator[None]:
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(0)
        yield


@contextmanager
def _in_mode(network: nn.Module, training: bool) -> Iterator[None]:
    modes = [(module, module.training) for module in network.modules()]
    network.train(training)
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
