"""Maps of several sizes inside a network, as detectors and segmenters build on them."""

from __future__ import annotations

import copy
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

_SIDE = 1024
"""Side of the images that strides are told by: so large and so even that every halving is one."""


class FeatureMap(NamedTuple):
    """What a network computes at the end of one stride: ``values`` ``[b, channels, ceil(h / stride), ...]``."""

    values: Tensor
    channels: int
    stride: int


class FeatureShape(NamedTuple):
    """Channels of a map, and pixels of the image per place of it, in each direction."""

    channels: int
    stride: int


@runtime_checkable
class GivesFeatures(Protocol):
    """A network whose maps can be asked for, and whose head makes logits of the last of them."""

    head: nn.Module

    def features(self, images: Tensor) -> list[Tensor]:
        """The last map of each stride, largest first; as many for images of any size."""


def feature_shapes(network: nn.Module, channels: int) -> tuple[FeatureShape, ...]:
    """Channels and stride of each map of a network that is ``GivesFeatures``, for images of so many channels.

    Nothing is computed: a copy on the meta device is asked.
    """
    asked = copy.deepcopy(network).to("meta").eval()
    assert isinstance(asked, GivesFeatures)
    with torch.no_grad():
        maps = asked.features(torch.empty(1, channels, _SIDE, _SIDE, device="meta"))
    return tuple(FeatureShape(one.shape[1], _SIDE // one.shape[-1]) for one in maps)
