"""The super-network of chains of several sizes of images and widths."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from archatlas.networks.blocks import Chain
from archatlas.networks.resized import at_size
from archatlas.spaces.protocol import Choices, SearchSpace
from archatlas.spaces.scaled_chains import CHAIN_FROM, ScaledChains
from archatlas.supernet.chain import ChainSupernet
from archatlas.supernet.protocol import Part, Supernet


class ScaledSupernet(Supernet):
    """A super-network of chains for each width; all sizes of images share its weights. A path begins with both choices.

    Images are given at the largest size, ``image_size``, and seen at the path's own; batch-norm statistics, which
    differ from size to size, are estimated anew for every subnet that is judged. Blocks of two widths share no weights:
    they are different functions of different numbers of channels.
    """

    def __init__(self, space: ScaledChains, generator: torch.Generator) -> None:
        super().__init__(space.input_shape[-1])
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

    def mixed(self, images: Tensor, gates: Sequence[Tensor], chosen: Sequence[int] | None = None) -> Tensor:
        """Images to logits along all paths at once (``Supernet.mixed``); logits of sizes and widths are mixed too."""
        sizes, widths = (range(len(one)) for one in gates[:CHAIN_FROM])
        if chosen is not None:
            size, width = (int(one) for one in chosen[:CHAIN_FROM])
            sizes, widths, chosen = range(size, size + 1), range(width, width + 1), chosen[CHAIN_FROM:]
        chains = list(self._chains)
        mixed = [
            gates[0][size]
            * gates[1][width]
            * chains[width].mixed(at_size(images, self.sizes[size]), gates[CHAIN_FROM:], chosen)
            for size in sizes
            for width in widths
        ]
        return torch.stack(mixed).sum(dim=0)

    def parts(self, choices: Sequence[int]) -> list[nn.Module]:
        """The modules that one path computes with, of the width that it has chosen (not copied)."""
        return self.member(choices).parts(choices[CHAIN_FROM:])

    def alternatives(self, choices: Sequence[int]) -> Iterator[tuple[nn.Module, Sequence[nn.Module]]]:
        """Every block of the path in every width, with the others of its position there (not copied)."""
        for chain in self._chains:
            yield from chain.alternatives(choices[CHAIN_FROM:])

    def judged(self, space: SearchSpace, rows: Choices) -> Iterator[Part]:
        """The rows of each size and width."""
        assert isinstance(space, ScaledChains)
        for label, places, own in space.by_member(rows):
            yield Part(self.member(rows[places[0]]), own, space.members[label].input_shape[-1])

    @property
    def _chains(self) -> Iterator[ChainSupernet]:
        for chain in self.chains:
            assert isinstance(chain, ChainSupernet)
            yield chain

    def extract(self, choices: Sequence[int]) -> Chain:
        """The subnet alone, which takes images of its own size: a deep copy of the path's weights and statistics."""
        return self.member(choices).extract(choices[CHAIN_FROM:])
