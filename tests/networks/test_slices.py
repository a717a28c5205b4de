from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from archatlas.networks.blocks import MBConv, initialise
from archatlas.networks.slices import copy_slice


def block(kernel: int, expansion: int, seed: int, **how: Any) -> MBConv:
    made = MBConv(4, 6, kernel=kernel, expansion=expansion, **how).eval()
    generator = torch.Generator().manual_seed(seed)
    initialise(made, generator)
    for module in made.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight.data, module.bias.data, module.running_mean, module.running_var):
                assert tensor is not None
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.1)
    return made


@pytest.mark.parametrize("excites", [False, True])
def test_a_slice_computes_what_its_source_computes_without_the_channels_and_rims_that_it_lacks(excites: bool) -> None:
    source = block(5, 3, 0, squeeze_excitation=excites)
    best = source.layers[-1][0].weight.data.abs().sum(dim=(0, 2, 3)).argsort(descending=True)[:8]
    small = block(3, 2, 1, squeeze_excitation=excites)
    copy_slice(small, source)
    with torch.no_grad():
        others = torch.tensor([channel for channel in range(12) if channel not in best])
        source.layers[1][0].weight[:, :, [0, 4], :] = 0
        source.layers[1][0].weight[:, :, :, [0, 4]] = 0
        source.layers[-1][0].weight[:, others] = 0
        if excites:  # 12 channels are squeezed into 4, as 8 are: the least that there can be.
            source.layers[2].gate[1].weight[:, others] = 0
        images = torch.randn(2, 4, 7, 7, generator=torch.Generator().manual_seed(2))
        torch.testing.assert_close(small(images), source(images))


def test_what_the_source_lacks_stays() -> None:
    source, large, before = block(3, 2, 0), block(5, 3, 1), block(5, 3, 1)
    copy_slice(large, source)
    depthwise, old = large.layers[1][0].weight, before.layers[1][0].weight
    assert torch.equal(depthwise[8:], old[8:])
    assert torch.equal(depthwise[:, :, 0], old[:, :, 0])
    assert not torch.equal(depthwise[:8, :, 1:4, 1:4], old[:8, :, 1:4, 1:4])


def test_the_source_stays_and_shares_nothing() -> None:
    source, other = block(3, 2, 0), block(3, 2, 1)
    before = {name: tensor.clone() for name, tensor in source.state_dict().items()}
    copy_slice(other, source)
    for tensor in other.state_dict().values():
        tensor.zero_()
    assert all(torch.equal(tensor, before[name]) for name, tensor in source.state_dict().items())


def test_blocks_of_other_layers_are_refused() -> None:
    with pytest.raises(ValueError, match="of the same layers"):
        copy_slice(block(3, 1, 0), block(3, 2, 0))
