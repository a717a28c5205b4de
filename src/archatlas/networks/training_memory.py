"""How much memory a step of a training asks for, found out on the meta device (no memory, no arithmetic)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks


def bytes_of_a_step(module: nn.Module, input_shape: tuple[int, ...], images: int, copies_of_weights: int) -> int:
    """Bytes in float32 that a step of so many ``images`` of ``input_shape`` (no batch axis) holds where it is fullest.

    The module is on the meta device, and put into training mode.

    These are what the forward pass keeps for the backward pass, each tensor once, and the ``copies_of_weights`` (the
    weights themselves, their gradients, the optimiser's averages). What kernels take for a moment is not known before.
    """
    weights = {parameter.untyped_storage()._cdata for parameter in module.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in weights:
            kept[storage._cdata] = storage.nbytes()
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        # As long as the result is there so are the tensors, and no other one gets the address of one of them.
        result = module.train()(torch.empty(images, *input_shape, device="meta"))
        del result
    return sum(kept.values()) + copies_of_weights * 4 * sum(parameter.numel() for parameter in module.parameters())
