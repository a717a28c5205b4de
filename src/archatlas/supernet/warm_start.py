"""Super-networks that begin with the weights of another data set's super-network."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from archatlas.errors import ArchatlasError
from archatlas.supernet.protocol import Supernet

_OWN = ("image_size", "head.classifier")
"""Never taken over: what depends on the images. Classes are others even where they are as many."""

_SHOWN = 4
_BLOCK = re.compile(r"(chains\.\d+\.)?(blocks\.\d+\.operations\.\d+\.\d+|blocks\.\d+\.\d+|blocks\.\d+)")


@dataclass(frozen=True)
class WarmStart:
    """What was taken over: the ``share`` of all trainable numbers (0 to 1), and the parts that were ``drawn`` anew."""

    share: float
    drawn: tuple[str, ...]

    def __str__(self) -> str:
        more = f" and {len(self.drawn) - _SHOWN} more" if len(self.drawn) > _SHOWN else ""
        return f"{self.share:.1%} of the weights; drawn anew: {', '.join(self.drawn[:_SHOWN])}{more}"


def begin_with(supernet: Supernet, weights: Mapping[str, Tensor], *, space: str, origin: str) -> WarmStart:
    """Copy into ``supernet``, in place, every part of ``weights`` (a super-network's state dict) that fits.

    A part is a block of one choice, an operation of one edge, or a layer of stem or head. It is taken with its
    batch-norm statistics, whole or not at all: it fits if it has the same tensors in the same shapes. Other parts keep
    the weights that they have, and so does the classifier in any case. ``space`` and ``origin`` name the super-network
    and where the weights come from, for messages.

    Raises:
        ArchatlasError: no block fits, so that these are weights of another space or of a network alone.
    """
    own = supernet.state_dict()
    here, there = _parts(own), _parts(weights)
    taken = {part for part, shapes in here.items() if there.get(part) == shapes and not part.endswith(_OWN)}
    if not any(_BLOCK.match(part) for part in taken):
        raise ArchatlasError(
            f"`supernet.start_from`: no block of the super-network in {origin} fits the space {space!r}. Weights are "
            "taken over between super-networks of the same `space` parameters, whatever their images: name such a "
            "one, or set it to null"
        )
    supernet.load_state_dict({name: weights[name] if _part(name) in taken else own[name] for name in own})
    counts = {name: parameter.numel() for name, parameter in supernet.named_parameters()}
    share = sum(count for name, count in counts.items() if _part(name) in taken) / sum(counts.values())
    return WarmStart(share, tuple(part for part in here if part not in taken and not part.endswith("image_size")))


def read_start(file: Path) -> dict[str, Tensor]:
    """The weights in a safetensors file; ArchatlasError if it holds none."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(file)
    except (SafetensorError, OSError) as error:
        raise ArchatlasError(
            f"`supernet.start_from`: {file} is no safetensors file of super-network weights ({error}). Name an "
            "experiment, or a folder or file of super-networks as `data/current/<experiment>/supernets` holds them"
        ) from error


def _parts(weights: Mapping[str, Tensor]) -> dict[str, dict[str, torch.Size]]:
    """Shapes of the tensors, part by part, in the order of the weights."""
    parts: dict[str, dict[str, torch.Size]] = {}
    for name, tensor in weights.items():
        parts.setdefault(_part(name), {})[name] = tensor.shape
    return parts


def _part(name: str) -> str:
    block = _BLOCK.match(name)
    return block.group() if block else name.rpartition(".")[0] or name
