"""What a detector is to say at each place, and how far off it is."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from archatlas.detection.boxes import areas, generalised_iou
from archatlas.detection.detector import Places, Predictions
from archatlas.detection.scenes import Scenes

_RADIUS = 1.5
"""An object is looked for at most so many strides from the middle of its box."""
_STRIDES_PER_SIDE = 4
"""An object belongs to the stride of which its side is nearest to so many."""
NOTHING = -1


class Targets(NamedTuple):
    """Of each place of some scenes the label of its object, or ``NOTHING``, int64 ``[b, n]``; its box ``[b, n, 4]``."""

    labels: Tensor
    boxes: Tensor


def targets_of(scenes: Scenes, places: Places) -> Targets:
    """The targets of all scenes."""
    shape = (len(scenes), len(places.strides))
    labels = torch.full(shape, NOTHING, dtype=torch.int64)
    boxes = torch.zeros(*shape, 4)
    for number in range(len(scenes)):
        own_boxes, own_labels = scenes.objects(number)
        if not len(own_boxes):
            continue
        owner = assigned(places, own_boxes)
        there = owner != NOTHING
        labels[number, there] = own_labels[owner[there]]
        boxes[number, there] = own_boxes[owner[there]]
    return Targets(labels, boxes)


def assigned(places: Places, boxes: Tensor) -> Tensor:
    """The object that each place is to see, int64 ``[n]``; ``NOTHING`` if none.

    Those near the middle of a box, on the map of the stride that suits its size, and the nearest of them in any case;
    of several objects the smallest.

    Args:
        places: of a pyramid.
        boxes: ``[m, 4]``, at least one.
    """
    sides, strides = areas(boxes).sqrt(), torch.unique(places.strides)
    misfit = (sides[:, None] / (_STRIDES_PER_SIDE * strides)).log().abs()
    suits = places.strides[:, None] == strides[misfit.argmin(dim=1)]
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    offset = (places.centres[:, None] - middles).abs()
    distance = torch.where(suits, offset.amax(dim=2), torch.inf)
    inside = (offset < (boxes[:, 2:] - boxes[:, :2]) / 2).all(dim=2)
    sees = suits & inside & (distance <= _RADIUS * places.strides[:, None])
    sees[distance.argmin(dim=0), torch.arange(len(boxes))] = True
    area, owner = torch.where(sees, areas(boxes), torch.inf).min(dim=1)
    return torch.where(area.isfinite(), owner, NOTHING)


def detection_loss(predictions: Predictions, targets: Targets) -> Tensor:
    """Focal loss of all places and generalised IoU of those with an object, both per place with an object."""
    there = targets.labels != NOTHING
    count = there.sum().clamp(min=1)
    wanted = functional.one_hot(targets.labels.clamp(min=0), predictions.logits.shape[-1]) * there[..., None]
    classes = focal_loss(predictions.logits, wanted.to(predictions.logits.dtype)).sum() / count
    overlap = generalised_iou(predictions.boxes[there], targets.boxes[there])
    return classes + (1 - overlap).sum() / count


def focal_loss(logits: Tensor, wanted: Tensor, alpha: float = 0.25, gamma: float = 2.0) -> Tensor:
    """``-alpha_t (1 - p_t)^gamma log p_t`` of every number (Lin et al., ICCV 2017, arXiv 1708.02002, equation 5)."""
    entropy = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    probability = logits.sigmoid()
    missing = probability + wanted - 2 * probability * wanted
    return (alpha * wanted + (1 - alpha) * (1 - wanted)) * missing**gamma * entropy
