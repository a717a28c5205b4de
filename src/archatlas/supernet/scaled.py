"""The super-network of chains of several sizes of images and widths."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from archatlas.networks.blocks import Chain
from archatlas.networks.resized import at_size
from archatlas.spaces.scaled_chains import CHAIN_FROM, ScaledChains
from archatlas.supernet.chain import ChainSupernet


class ScaledSupernet(nn.Module):
    """A super-network of chains for each width; all sizes of images share its weights. A path begins with both choices.

    Images are given at the largest size, ``image_size``, and seen at the path's own; batch-norm statistics, which
    differ from size to size, are estimated anew for every subnet that is judged. Blocks of two widths share no weights:
    they are different functions of different numbers of channels.
    """

    image_size: Tensor

    def __init__(self, space: ScaledChains, generator: torch.Generator) -> None:
        super().__init__()
        self.register_buffer("image_size", torch.tensor(space.input_shape[-1]))
        self.sizes = space.image_sizes
        largest = list(space.members.values())[-len(space.widths) :]
        self.chains = nn.ModuleList(ChainSupernet.of(member, generator) for member in largest)

    def member(self, choices: Sequence[int]) -> ChainSupernet:
        """The super-network of the width that an architecture has chosen (not copied)."""
        chain = self.chains[int(choices[1])]
        assert isinstance(chain, ChainSupernet)
        return chain

    def forward(self, images: Tensor, choices: Sequence[int]) -> Tensor:
        """Images ``[b, c, h, w]``, of the path's size or larger, to logits ``[b, classes]`` along one path."""
        logits: Tensor = self.member(choices)(at_size(images, self.sizes[int(choices[0])]), choices[CHAIN_FROM:])
        return logits

    def extract(self, choices: Sequence[int]) -> Chain:
        """The subnet alone, which takes images of its own size: a deep copy of the path's weights and statistics."""
        return self.member(choices).extract(choices[CHAIN_FROM:])
