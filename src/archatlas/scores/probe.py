"""A network at initialisation and one batch: the passes that scores share, each made when it is first asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn import functional

from archatlas.errors import ArchatlasError
from archatlas.scores.agreement import ActivationAgreement
from archatlas.scores.passes import passed


@dataclass(frozen=True)
class Probe:
    """What scores look at. The network is left as it was: weights, buffers, gradients, modes.

    Batch norm is in train mode, as in the published scores: each image is seen among those of its batch.

    Attributes:
        network: images to logits
        images: ``[b, c, h, w]``, as the network takes them
        labels: int64 ``[b]``
    """

    network: nn.Module
    images: Tensor
    labels: Tensor

    def __post_init__(self) -> None:
        if len(self.images) < 2 or len(self.images) != len(self.labels):
            raise ArchatlasError(
                "scores without training need a batch of at least 2 images with a label each, but got "
                f"{len(self.images)} images and {len(self.labels)} labels"
            )

    @property
    def agreement(self) -> Tensor:
        """For each two images how many rectifiers are on for both or off for both, float64 ``[b, b]``."""
        return self._forward[2].counted

    @property
    def rectifiers(self) -> int:
        """How many rectifiers an image passes."""
        return self._forward[2].rectifiers

    @cached_property
    @torch.enable_grad()
    def jacobian(self) -> Tensor:
        """Derivatives of the sum of all logits of the batch by each value of each image, ``[b, c h w]``."""
        images, logits, _ = self._forward
        (found,) = torch.autograd.grad(logits.sum(), images, retain_graph=True)
        return found.flatten(1)

    @cached_property
    @torch.enable_grad()
    def gradients(self) -> dict[str, Tensor]:
        """Of the batch's **mean** cross-entropy by each trainable parameter, under its name; 0 where it has no say."""
        weights = {name: one for name, one in self.network.named_parameters() if one.requires_grad}
        if not weights:
            raise ArchatlasError(
                f"{type(self.network).__name__} has no weights to train, so the loss has no gradient by them: leave "
                "scores that ask for it out of `scores.names`"
            )
        loss = functional.cross_entropy(self._forward[1], self.labels)
        found = torch.autograd.grad(loss, [*weights.values()], retain_graph=True, materialize_grads=True)
        return dict(zip(weights, found, strict=True))

    @cached_property
    def weight_layers(self) -> dict[str, nn.Conv2d | nn.Linear]:
        """The convolutions and linear layers, by name."""
        modules = self.network.named_modules()
        return {name: module for name, module in modules if isinstance(module, nn.Conv2d | nn.Linear)}

    @cached_property
    @torch.enable_grad()
    def _forward(self) -> tuple[Tensor, Tensor, ActivationAgreement]:
        """Images that gradients reach, the logits of the one pass that all share, and its rectifiers."""
        images = self.images.detach().requires_grad_()
        buffers = {name: buffer.clone() for name, buffer in self.network.named_buffers()}
        with ActivationAgreement(len(images)) as agreement:
            logits = passed(self.network, buffers, images, training=True)
        return images, logits, agreement
