"""The building blocks of chains: stem, inverted residual block, projection, head."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from archatlas.networks.depthwise import DepthwiseConv2d

Activation = Literal["relu", "relu6", "hard_swish"]

_ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "relu6": nn.ReLU6, "hard_swish": nn.Hardswish}


class ConvNorm(nn.Sequential):
    """Convolution without bias, batch norm, a non-linearity unless it is None; size becomes ceil(size / stride)."""

    def __init__(
        self,
        in_width: int,
        out_width: int,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        activation: Activation | None = "relu",
    ) -> None:
        convolution: nn.Module
        if groups == in_width == out_width:
            convolution = DepthwiseConv2d(out_width, kernel, stride)
        else:
            convolution = nn.Conv2d(in_width, out_width, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
        layers: list[nn.Module] = [convolution, nn.BatchNorm2d(out_width)]
        if activation is not None:
            layers.append(_ACTIVATIONS[activation](inplace=True))
        super().__init__(*layers)


class SqueezeExcitation(nn.Module):
    """Channel weights from the global average (Hu et al., CVPR 2018), with the hard sigmoid of MobileNetV3.

    ``squeezed`` channels between; None: a quarter, 4 at least.
    """

    def __init__(self, width: int, squeezed: int | None = None) -> None:
        super().__init__()
        squeezed = max(width // 4, 4) if squeezed is None else squeezed
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(width, squeezed, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(squeezed, width, 1),
            nn.Hardsigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        gated: Tensor = x * self.gate(x)
        return gated


class MBConv(nn.Module):
    """Inverted residual block (MobileNetV2, Sandler et al., CVPR 2018): expand 1x1, depthwise, project 1x1.

    Expansion 1 has no expanding convolution. The input is added where the shape is kept. ``squeezed``: see
    :class:`SqueezeExcitation`.
    """

    def __init__(
        self,
        in_width: int,
        out_width: int,
        *,
        kernel: int,
        expansion: int,
        stride: int = 1,
        squeeze_excitation: bool = False,
        squeezed: int | None = None,
        activation: Activation = "relu",
    ) -> None:
        super().__init__()
        hidden = in_width * expansion
        layers: list[nn.Module] = []
        if expansion != 1:
            layers.append(ConvNorm(in_width, hidden, activation=activation))
        layers.append(ConvNorm(hidden, hidden, kernel, stride, groups=hidden, activation=activation))
        if squeeze_excitation:
            layers.append(SqueezeExcitation(hidden, squeezed))
        layers.append(ConvNorm(hidden, out_width, activation=None))
        self.layers = nn.Sequential(*layers)
        self.expands = expansion != 1
        self.adds_input = stride == 1 and in_width == out_width

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        return x + y if self.adds_input else y


class Head(nn.Module):
    """1x1 convolution to ``width`` (none if 0), global average, linear classifier."""

    def __init__(self, in_width: int, width: int, num_classes: int, activation: Activation = "relu") -> None:
        super().__init__()
        self.expand = ConvNorm(in_width, width, activation=activation) if width else nn.Identity()
        self.classifier = nn.Linear(width or in_width, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.expand(x).mean(dim=(2, 3)))
        return logits


class Chain(nn.Module):
    """A stand-alone chain: stem, blocks in order, head. ``blocks[i]`` is the block at position ``i``.

    A block whose maps are smaller than what it reads has that as a ``stride`` of some module in it.
    """

    def __init__(self, stem: nn.Module, blocks: list[nn.Module], head: nn.Module) -> None:
        super().__init__()
        self.stem = stem
        self.blocks = nn.ModuleList(blocks)
        self.head = head
        self.shrinking = tuple(any(map(_has_stride, block.modules())) for block in blocks)

    def forward(self, images: Tensor) -> Tensor:
        x = self.stem(images)
        for block in self.blocks:
            x = block(x)
        logits: Tensor = self.head(x)
        return logits

    def features(self, images: Tensor) -> list[Tensor]:
        """Maps ``[b, c, h, w]`` of each stride, largest first: the last ones before each block that shrinks them.

        As many for all images: of small ones the last may be of one size.
        """
        maps = [self.stem(images)]
        for block, shrinks in zip(self.blocks, self.shrinking, strict=True):
            x = block(maps[-1])
            if not shrinks:
                maps.pop()
            maps.append(x)
        return maps


def _has_stride(module: nn.Module) -> bool:
    """Whether a module gives fewer places than it reads."""
    stride = getattr(module, "stride", 1)
    return (max(stride) if isinstance(stride, tuple) else stride) > 1


def is_identity(module: nn.Module) -> bool:
    """Whether the block computes nothing at all (a skip that keeps the shape)."""
    return isinstance(module, nn.Identity)


def initialise(network: nn.Module, generator: torch.Generator) -> None:
    """Draw every convolution and linear weight afresh, in place, from ``generator``.

    Convolutions: variance ``1 / (3 fan_in)``, that of PyTorch's own layers, so that the filters of all layers have the
    same expected norm. Under batch norm a filter's scale does not matter to what it computes, only to how fast it
    turns: its effective rate is the learning rate over its squared norm (van Laarhoven, 2017, arXiv:1706.05350).
    Variances by fan-out would let depthwise filters turn a thousand times as fast as those that project, and a
    super-network's scores rank far worse (docs/experiments.md).
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            fan_in = module.weight[0].numel()
            nn.init.normal_(module.weight, std=(3 * fan_in) ** -0.5, generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=module.in_features**-0.5, generator=generator)
            nn.init.zeros_(module.bias)
