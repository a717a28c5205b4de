"""Weights of a network before any training."""

from __future__ import annotations

import torch
from torch import nn

from archatlas.networks.blocks import initialise
from archatlas.scores.parameters import Initialisation


def draw_weights(network: nn.Module, initialisation: Initialisation, seed: int) -> None:
    """Draw all weights of convolutions and linear layers anew, in place, in their order; biases are 0.

    ``pytorch``: normal with variance ``1 / (3 fan_in)`` for convolutions, that of PyTorch's own layers, as everywhere
    else here (``networks.blocks.initialise``). ``kaiming``: ``2 / fan_in`` (He et al., ICCV 2015). Under batch norm the
    scale matters to gradients alone; synaptic flow, without, weighs depth by it. What is drawn depends on the seed and
    the layers, so that networks which begin alike have the same weights there.
    """
    generator = torch.Generator().manual_seed(seed)
    initialise(network, generator)
    if initialisation == "kaiming":
        with torch.no_grad():
            for module in network.modules():
                if isinstance(module, nn.Conv2d):
                    module.weight *= 6**0.5
                elif isinstance(module, nn.Linear):
                    module.weight *= 2**0.5
