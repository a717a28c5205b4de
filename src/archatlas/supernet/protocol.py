"""What every super-network offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from archatlas.networks.blocks import Chain
from archatlas.spaces.protocol import Choices, SearchSpace


class Part(NamedTuple):
    """Rows of a super-network (or of one that it holds) that see images of one size, pixels."""

    supernet: Supernet
    rows: Choices
    image_size: int


class Supernet(nn.Module, ABC):
    """One network with the weights of all choices of a space. A subnet is a path: one choice per position.

    ``image_size`` is the side of the images that it is trained and judged on, pixels: the space's own unless it is told
    otherwise.
    """

    judged_by: ClassVar[str] = "one_by_one"
    """How the logits of many paths are computed, by a name in supernet/judges.py."""

    image_size: Tensor

    def __init__(self, image_size: int) -> None:
        super().__init__()
        self.register_buffer("image_size", torch.tensor(image_size))

    @abstractmethod
    def forward(self, images: Tensor, choices: Sequence[int]) -> Tensor:
        """Images ``[b, c, h, w]`` to logits ``[b, classes]`` along one path."""

    @abstractmethod
    def mixed(self, images: Tensor, gates: Sequence[Tensor], chosen: Sequence[int] | None = None) -> Tensor:
        """Images ``[b, c, h, w]`` to logits ``[b, classes]`` along all paths at once.

        What a position gives is the sum of what its choices give, each times its gate. Gradients with respect to the
        gates flow, and theirs in turn. A path is the gates that are 1 for its choices and 0 for all others.

        Args:
            images: of the size that the super-network sees.
            gates: for each position a tensor ``[choices]``.
            chosen: the one choice of each position that is computed, all others count as zero whatever their gate;
                None: all are computed. With gates that are 1 for ``chosen`` the logits are that path's.
        """

    @abstractmethod
    def parts(self, choices: Sequence[int]) -> list[nn.Module]:
        """The modules that one path computes with, from the stem to the head (not copied)."""

    @abstractmethod
    def extract(self, choices: Sequence[int]) -> Chain:
        """The subnet alone: a deep copy of the path's weights and statistics, with the same logits."""

    def alternatives(self, choices: Sequence[int]) -> Iterator[tuple[nn.Module, Sequence[nn.Module]]]:
        """The blocks of a path, each with those that the other choices of its position put there (not copied).

        None where a path is no row of blocks.
        """
        yield from ()

    def judged(self, space: SearchSpace, rows: Choices) -> Iterator[Part]:
        """Sorted rows, part by part: those together that see images of one size."""
        yield Part(self, rows, int(self.image_size))
