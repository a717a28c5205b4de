"""Boxes by hand."""

from __future__ import annotations

import pytest
import torch

from archatlas.detection.boxes import areas, generalised_iou, intersection_over_union, suppressed

ONE = torch.tensor([[0.0, 0.0, 2.0, 2.0]])
BESIDE = torch.tensor([[1.0, 0.0, 3.0, 2.0]])
FAR = torch.tensor([[3.0, 0.0, 4.0, 2.0]])


def test_overlaps_by_hand() -> None:
    assert areas(torch.cat([ONE, torch.tensor([[2.0, 0.0, 1.0, 1.0]])])).tolist() == [4.0, 0.0]
    overlaps = intersection_over_union(ONE, torch.cat([ONE, BESIDE, FAR]))
    assert overlaps.tolist() == [pytest.approx([1.0, 2 / 6, 0.0])]


def test_boxes_that_do_not_meet_are_told_by_the_gap_between_them() -> None:
    pairs = torch.cat([ONE, ONE, ONE]), torch.cat([ONE, BESIDE, FAR])
    # The hull of the last pair is 4 by 2, of which 2 are in neither.
    assert generalised_iou(*pairs).tolist() == pytest.approx([1.0, 1 / 3, -2 / 8])


def test_of_boxes_that_overlap_the_most_probable_is_left() -> None:
    boxes = torch.cat([ONE, BESIDE, FAR, ONE + 0.1])
    scores = torch.tensor([0.5, 0.9, 0.1, 0.4])
    assert suppressed(boxes, scores, 0.3).tolist() == [1, 2], "the first overlaps the second by a third"
    assert suppressed(boxes, scores, 0.5).tolist() == [1, 0, 2]
    assert suppressed(boxes[:0], scores[:0], 0.5).tolist() == []
