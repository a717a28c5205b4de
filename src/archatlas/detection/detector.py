"""A one-stage detector without anchors on the maps of a backbone (FCOS: Tian et al., ICCV 2019, arXiv 1904.01355).

Every place of a map says of each class how probable an object about it is, and how far the sides of its box are. Ours,
smaller than the paper's: two separable convolutions in a head for both, a head of its own for each stride since batch
norm's statistics differ between them, and no centreness.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from archatlas.networks.blocks import ConvNorm, initialise
from archatlas.networks.feature_maps import GivesFeatures, feature_shapes
from archatlas.networks.wired import SeparableConv

_FINEST = 2
"""Maps of the size of the image are too large to look for objects on, unless there are no others."""
_PRIOR = 0.01
"""Probability of a class at a place before anything is learned (Lin et al., ICCV 2017, arXiv 1708.02002)."""


class Places(NamedTuple):
    """Where a detector looks: centres ``[n, 2]`` (x, y) in pixels, and strides ``[n]``."""

    centres: Tensor
    strides: Tensor


class Predictions(NamedTuple):
    """What it says at each place: logits ``[b, n, classes]`` and boxes ``[b, n, 4]`` in pixels."""

    logits: Tensor
    boxes: Tensor


class Detector(nn.Module):
    """Backbone, a pyramid of ``levels`` maps, and a head for each.

    Args:
        backbone: is copied, without its classifier
        channels: of the images
        num_classes: of the objects
        levels: the last maps of the backbone, and where it has fewer, coarser ones made of the last
        width: channels of the pyramid and the heads
    """

    def __init__(self, backbone: nn.Module, channels: int, num_classes: int, levels: int, width: int) -> None:
        super().__init__()
        assert isinstance(backbone, GivesFeatures)
        shapes = feature_shapes(backbone, channels)
        usable = [place for place, shape in enumerate(shapes) if shape.stride >= _FINEST] or [len(shapes) - 1]
        self.taken = usable[-levels:]
        self.backbone = copy.deepcopy(backbone)
        self.backbone.head = nn.Identity()
        strides = [shapes[place].stride for place in self.taken]
        self.lateral = nn.ModuleList(ConvNorm(shapes[place].channels, width, activation=None) for place in self.taken)
        self.coarser = nn.ModuleList(ConvNorm(width, width, 3, 2) for _ in range(levels - len(self.taken)))
        self.strides = tuple(strides + [strides[-1] * 2 ** (number + 1) for number in range(len(self.coarser))])
        self.heads = nn.ModuleList(_Head(width, num_classes) for _ in range(levels))

    def pyramid(self, images: Tensor) -> list[Tensor]:
        """Maps ``[b, width, h, w]`` of all strides; each is given what coarser ones have seen (arXiv 1612.03144)."""
        maps = self.backbone.features(images)
        levels = [lateral(maps[place]) for lateral, place in zip(self.lateral, self.taken, strict=True)]
        for coarser in self.coarser:
            levels.append(coarser(levels[-1]))
        for place in range(len(levels) - 2, -1, -1):
            levels[place] = levels[place] + functional.interpolate(levels[place + 1], levels[place].shape[2:])
        return levels

    def forward(self, images: Tensor) -> Predictions:
        """Normalised images ``[b, c, h, w]`` to what is said at each place."""
        maps = self.pyramid(images)
        places = _places(self.strides, [(one.shape[2], one.shape[3]) for one in maps], images.device)
        said = [head(one) for head, one in zip(self.heads, maps, strict=True)]
        logits, raw = (torch.cat([one[part].flatten(2) for one in said], dim=2).transpose(1, 2) for part in (0, 1))
        distances = functional.softplus(raw) * places.strides[:, None]
        boxes = torch.cat([places.centres - distances[..., :2], places.centres + distances[..., 2:]], dim=2)
        return Predictions(logits, boxes)

    def places(self, side: int) -> Places:
        """The places of images of this side, in the order of predictions."""
        sizes = [-(-side // stride) for stride in self.strides]  # Every halving rounds up.
        return _places(self.strides, [(size, size) for size in sizes], torch.device("cpu"))


def _places(strides: Sequence[int], sizes: Sequence[tuple[int, int]], device: torch.device) -> Places:
    """The places of maps of these strides, heights and widths, row by row."""
    grids = [_grid(*size, stride, device) for size, stride in zip(sizes, strides, strict=True)]
    of_grids = [grid.new_full((len(grid),), stride) for grid, stride in zip(grids, strides, strict=True)]
    return Places(torch.cat(grids), torch.cat(of_grids))


def _grid(height: int, width: int, stride: int, device: torch.device) -> Tensor:
    """Centres ``[h w, 2]`` of the places of a map, row by row."""
    rows, columns = ((torch.arange(size, device=device) + 0.5) * stride for size in (height, width))
    return torch.stack([columns.repeat(height), rows.repeat_interleave(width)], dim=1)


class _Head(nn.Module):
    def __init__(self, width: int, num_classes: int) -> None:
        super().__init__()
        self.tower = nn.Sequential(SeparableConv(width, width), SeparableConv(width, width))
        self.classes = nn.Conv2d(width, num_classes, 1)
        self.sides = nn.Conv2d(width, 4, 1)

    def begin(self) -> None:
        """Nearly nothing is an object at first, and its box reaches two strides to each side."""
        nn.init.constant_(self.classes.bias, -math.log((1 - _PRIOR) / _PRIOR))  # type: ignore[arg-type]
        nn.init.constant_(self.sides.bias, 2.0)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = self.tower(x)
        return self.classes(y), self.sides(y)


def begin(detector: Detector, generator: torch.Generator) -> None:
    """Draw all weights but the backbone's from ``generator``, in place."""
    for part in (detector.lateral, detector.coarser, detector.heads):
        initialise(part, generator)
    for head in detector.heads:
        assert isinstance(head, _Head)
        head.begin()
