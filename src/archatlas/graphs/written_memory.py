"""Which nodes wrote what a tensor holds, where in-place operators write through views of one memory."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

Part = tuple[tuple[int, ...], int]
"""The shape of a part of a tensor, and the node that made it."""


@dataclass(frozen=True)
class _Write:
    time: int
    node: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    start: int
    end: int
    dense: bool

    def meets(self, other: _Write) -> bool:
        return self.start < other.end and other.start < self.end

    def covers(self, other: _Write) -> bool:
        """Whether nothing of the other is left; of views with gaps this is known only if both are one view."""
        if self.dense:
            return self.start <= other.start and other.end <= self.end
        return (self.start, self.shape, self.strides) == (other.start, other.shape, other.strides)


class WrittenMemory:
    """Hears of tensors that are made and written into, in order, and knows what each of them holds now.

    A view's place is the range of memory from its first number to its last, in bytes: views whose ranges interleave
    count as overlapping. Tensors must live as long as this does, since an address names one only while it lives.
    """

    def __init__(self) -> None:
        self._made: dict[int, tuple[int, int]] = {}
        self._writes: dict[int, list[_Write]] = {}
        self._time = 0

    def make(self, tensor: Tensor, node: int) -> None:
        """``node`` gives the tensor, which is new or a view."""
        self._time += 1
        self._made[id(tensor)] = self._time, node

    def write(self, tensor: Tensor, node: int) -> None:
        """``node`` gives what the tensor holds from now on, and all that shares its memory."""
        self._time += 1
        new = _placed(tensor, self._time, node)
        kept = [old for old in self._writes.get(storage_of(tensor), []) if not new.covers(old)]
        self._writes[storage_of(tensor)] = [*kept, new]

    def held(self, tensor: Tensor, view: Tensor | None = None) -> list[Part]:
        """What the tensor holds, in the order of writing: nothing of what does not depend on the input.

        Args:
            tensor: any, whether it is known or not.
            view: of the tensor; what else it holds is then left out.
        """
        time, node = self._made.get(id(tensor), (0, -1))
        writes = self._writes.get(storage_of(tensor), []) if self._writes else []
        if not writes:
            return [(tuple(tensor.shape), node)] if time else []
        whole = _placed(tensor if view is None else view, time, node)
        found = [whole] if time else []
        for write in writes:
            if write.time > time and write.meets(whole):
                found = [*([] if write.covers(whole) else found), write]
        return [(one.shape, one.node) for one in found]


def is_view(tensor: Tensor, other: Tensor) -> bool:
    """Whether the tensor has no memory of its own, but the other's."""
    return tensor is not other and storage_of(tensor) == storage_of(other)


def _placed(tensor: Tensor, time: int, node: int) -> _Write:
    shape, strides, width = tuple(tensor.shape), tensor.stride(), tensor.element_size()
    last = sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    extent = last + 1 if tensor.numel() else 0
    start = int(tensor.storage_offset()) * width
    return _Write(time, node, shape, strides, start, start + extent * width, tensor.numel() == extent)


def storage_of(tensor: Tensor) -> int:
    """What names the memory of a tensor, and of all its views, as long as it lives."""
    return int(tensor.untyped_storage()._cdata) if tensor.layout == torch.strided else id(tensor)
