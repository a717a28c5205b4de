"""Which rectifiers of a network are on for which image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

_RECTIFIERS: frozenset[Callable[..., Any]] = frozenset(
    {
        torch.relu, torch.relu_, Tensor.relu, Tensor.relu_, functional.relu, functional.relu_, functional.relu6,
        functional.hardtanh, functional.hardswish,
    }
)  # fmt: skip
"""What switches a unit off. ReLU6 is a ``hardtanh`` to PyTorch; that and hard swish are ours, published is ReLU."""


class ActivationAgreement(TorchFunctionMode):
    """In its block, adds up the agreement of ``images`` images at all rectifiers that are passed, as layer or function.

    Attributes:
        rectifiers: how many were passed
        counted: for each two images how many units are on (above 0) for both or off for both, float64 ``[b, b]``
    """

    def __init__(self, images: int) -> None:
        super().__init__()
        self.rectifiers = 0
        self.counted = torch.zeros(images, images, dtype=torch.float64)
        self._last: tuple[Tensor, int, Tensor] | None = None

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in _RECTIFIERS:
            self._count(args[0] if args else kwargs["input"])
        return func(*args, **kwargs)

    @torch.no_grad()
    def _count(self, x: Tensor) -> None:
        self.rectifiers += 1
        last = self._last
        if last is None or last[0] is not x or last[1] != x._version:  # Operations of a cell rectify the same tensor.
            self._last = last = (x, x._version, agreement(x))
        self.counted += last[2].to(self.counted.device)


def agreement(x: Tensor) -> Tensor:
    """``[b, ...]`` to float64 ``[b, b]``: at how many places two rows are both above 0 or both not.

    Of ``units`` places rows i and j have o_i and o_j on, and both are on at B_ij: they agree at all but
    ``o_i + o_j - 2 B_ij``.
    """
    if x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last):
        x = x.permute(0, 2, 3, 1)
    on = (x.reshape(len(x), -1) > 0).float()
    both = (on @ on.T).double()
    each = both.diagonal()
    return on.shape[1] - each[:, None] - each[None, :] + 2 * both
