"""Arithmetic of boxes: left, top, right, bottom."""

from __future__ import annotations

import torch
from torch import Tensor


def areas(boxes: Tensor) -> Tensor:
    """``[..., 4]`` to ``[...]``."""
    return (boxes[..., 2] - boxes[..., 0]).clamp(min=0) * (boxes[..., 3] - boxes[..., 1]).clamp(min=0)


def intersection_over_union(one: Tensor, other: Tensor) -> Tensor:
    """Of every pair: ``[n, 4]`` and ``[m, 4]`` to ``[n, m]``."""
    return _shared(one[:, None], other[None])[0]


def generalised_iou(one: Tensor, other: Tensor) -> Tensor:
    """``IoU - (hull - union) / hull`` row by row, -1 to 1 (Rezatofighi et al., CVPR 2019, arXiv 1902.09630).

    Args:
        one: ``[n, 4]``.
        other: ``[n, 4]``.
    """
    iou, union = _shared(one, other)
    hull = areas(torch.cat([torch.minimum(one[:, :2], other[:, :2]), torch.maximum(one[:, 2:], other[:, 2:])], dim=1))
    return iou - (hull - union) / hull.clamp(min=_LEAST)


_LEAST = 1e-9


def _shared(one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """Intersection over union, and union."""
    corners = torch.maximum(one[..., :2], other[..., :2]), torch.minimum(one[..., 2:], other[..., 2:])
    intersection = areas(torch.cat(corners, dim=-1))
    union = areas(one) + areas(other) - intersection
    return intersection / union.clamp(min=_LEAST), union


def suppressed(boxes: Tensor, scores: Tensor, overlap: float) -> Tensor:
    """Which boxes are left, best first: none that overlaps one that is left by more (greedy, int64 ``[k]``).

    Args:
        boxes: ``[n, 4]``, of one class.
        scores: ``[n]``.
        overlap: the largest intersection over union of two that stay.
    """
    order = scores.argsort(descending=True, stable=True)
    close = (intersection_over_union(boxes[order], boxes[order]) > overlap).tolist()
    kept: list[int] = []
    for place in range(len(order)):
        if not any(close[place][other] for other in kept):
            kept.append(place)
    return order[kept]
