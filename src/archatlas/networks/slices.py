"""Parts of a trained block for smaller ones to begin with."""

from __future__ import annotations

from torch import Tensor, nn

from archatlas.networks.blocks import MBConv, SqueezeExcitation


def copy_slice(block: MBConv, source: MBConv) -> None:
    """Copy into ``block``, in place, what it has room for of ``source``: its best channels, its kernels' middles.

    Hidden channels are ranked by the L1 norm of the weights that project from them (Cai et al., Once-for-All, ICLR
    2020, section 3.2); those that squeeze-and-excitation squeezes them into are taken in their order. What ``source``
    lacks, be it channels or the rim of a kernel, stays as it is. Both blocks have the same input and output, and both
    expand; ValueError if their layers differ.
    """
    projects_from: Tensor = source.layers[-1].state_dict()["0.weight"]
    ranked = projects_from.abs().sum(dim=(0, 2, 3)).argsort(descending=True, stable=True)
    if [type(layer) for layer in block.layers] != [type(layer) for layer in source.layers]:
        raise ValueError("a block begins as a slice of one of the same layers: both expand, or both excite, or neither")
    layers = list(zip(block.layers, source.layers, strict=True))
    for number, (own, other) in enumerate(layers):
        given = other.state_dict()
        for name, tensor in own.state_dict().items():
            axis = _hidden_axis(own, name, projects=number + 1 == len(layers))
            _copy_common(tensor, given[name] if axis is None else given[name].index_select(axis, ranked))


def _hidden_axis(layer: nn.Module, name: str, *, projects: bool) -> int | None:
    """Along which axis a tensor of a layer of MBConv counts hidden channels."""
    if isinstance(layer, SqueezeExcitation):
        return {"gate.1.weight": 1, "gate.1.bias": None}.get(name, 0)
    if projects:
        return 1 if name == "0.weight" else None
    return None if name == "1.num_batches_tracked" else 0


def _copy_common(target: Tensor, source: Tensor) -> None:
    """Copy what both have: the first channels of axes 0 and 1, the middle of the kernel's axes 2 and 3."""
    for axis in range(target.ndim):
        size = min(target.shape[axis], source.shape[axis])
        target, source = (
            tensor.narrow(axis, (tensor.shape[axis] - size) // 2 if axis > 1 else 0, size)
            for tensor in (target, source)
        )
    target.copy_(source)
