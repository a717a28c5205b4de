"""Synaptic flow: how much all paths through the network carry."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from archatlas.errors import ArchatlasError
from archatlas.scores.passes import passed
from archatlas.scores.probe import Probe

_BENT: frozenset[Callable[..., Any]] = frozenset(
    {
        functional.relu6, functional.hardtanh, functional.hardswish, functional.silu, functional.mish, functional.gelu,
        functional.elu, functional.selu, functional.celu, functional.softplus, functional.softsign, functional.tanh,
        torch.tanh, Tensor.tanh, torch.selu, torch.celu,
    }
)  # fmt: skip
"""Activations that are not linear above 0. Sigmoids are not among them: in these networks they are gates."""


class _Straightened(TorchFunctionMode):
    """In its block these activations are identities, as a rectifier is above 0."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in _BENT:
            return args[0] if args else kwargs["input"]
        return func(*args, **kwargs)


@torch.enable_grad()
def synflow(probe: Probe) -> float:
    """``log sum_w |w dR/dw|`` over the weights of convolutions and linear layers.

    R is the sum of the logits for an image of ones, of the network with the absolute values of all its weights (Tanaka
    et al., NeurIPS 2020, arXiv 2006.05467, equation 1; the sum as a score: Abdelfattah et al., ICLR 2021, arXiv
    2101.08134). Activations that are bounded or bent above 0 are identities, since R would saturate where it is to grow
    with every layer. Batch norm is in eval mode, at initialisation almost an identity; published code leaves it out.
    Images and labels do not matter, depth and the scale of the initialisation do. In double precision and in logarithms
    (natural), since the sum grows exponentially with depth; minus infinity where nothing arrives.

    Raises:
        ArchatlasError: there is no such layer.
    """
    if not probe.weight_layers:
        raise ArchatlasError(
            f"{type(probe.network).__name__} has no convolution and no linear layer, so nothing flows along weights: "
            "leave synflow out of `scores.names`"
        )
    state = {**dict(probe.network.named_parameters()), **dict(probe.network.named_buffers())}
    linear = {name: _positive(tensor) for name, tensor in state.items()}
    names = [f"{layer}.weight" if layer else "weight" for layer in probe.weight_layers]
    weights = [linear[name].requires_grad_() for name in names]
    ones = torch.ones(1, *probe.images.shape[1:], dtype=torch.float64, device=probe.images.device)
    with _Straightened():
        flow = passed(probe.network, linear, ones, training=False).sum()
    gradients = torch.autograd.grad(flow, weights, materialize_grads=True)
    total = sum(
        float((weight * gradient).detach().abs().sum()) for weight, gradient in zip(weights, gradients, strict=True)
    )
    return math.log(total) if total > 0 else total - math.inf


def _positive(tensor: Tensor) -> Tensor:
    """Absolute values in double precision, of what are real numbers; a tensor of its own."""
    plain = tensor.detach().contiguous()
    return plain.double().abs() if plain.is_floating_point() else plain.clone()
