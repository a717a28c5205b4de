"""A network that sees its images smaller than it is given them."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class Resized(nn.Module):
    """``network`` on images brought to ``image_size`` pixels, as ``at_size`` does."""

    def __init__(self, network: nn.Module, image_size: int) -> None:
        super().__init__()
        self.network = network
        self.image_size = image_size

    def forward(self, images: Tensor) -> Tensor:
        """Images ``[b, c, h, w]`` of any size to logits ``[b, classes]``."""
        logits: Tensor = self.network(at_size(images, self.image_size))
        return logits


def at_size(images: Tensor, image_size: int) -> Tensor:
    """Float images ``[b, c, h, w]`` at ``[b, c, image_size, image_size]``, bilinear with anti-aliasing."""
    if images.shape[-1] == image_size:
        return images
    size = (image_size, image_size)
    return functional.interpolate(images.float(), size, mode="bilinear", antialias=True).to(images.dtype)
