"""What detectors find, and the mean average precision of it as COCO defines it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from archatlas.detection.boxes import suppressed
from archatlas.detection.detector import Detector
from archatlas.detection.parameters import DetectionParameters
from archatlas.detection.scenes import Scenes
from archatlas.errors import ArchatlasError
from archatlas.images.description import ImageDescription
from archatlas.images.normalise import normalise
from archatlas.predictors.noise import combined_reach

SIDES = ["left", "top", "right", "bottom"]
FOUND_COLUMNS = ["scene", "label", "score", *SIDES]
"""A row per detection: number of the scene, index of the class, probability, box in pixels."""
PRECISIONS = ["map", "map_50", "map_75"]
"""Means over classes of the average precision: over overlaps of .5 to .95, at .5, and at .75."""

_BATCH = 64


@torch.no_grad()
def detected(
    detector: Detector, scenes: Scenes, description: ImageDescription, parameters: DetectionParameters
) -> pd.DataFrame:
    """``FOUND_COLUMNS`` of all scenes; the detector is put into evaluation mode."""
    detector.eval()
    place, side = next(detector.parameters()).device, scenes.images.shape[-1]
    parts = []
    for start in range(0, len(scenes), _BATCH):
        batch = normalise(scenes.images[start : start + _BATCH].to(place), description)
        logits, boxes = detector(batch)
        probabilities, boxes = logits.sigmoid().cpu(), boxes.clamp(0, side).cpu()
        parts += [_of_scene(probabilities[one], boxes[one], start + one, parameters) for one in range(len(batch))]
    return pd.DataFrame(np.concatenate(parts), columns=FOUND_COLUMNS).astype({"scene": "int64", "label": "int64"})


def _of_scene(probabilities: Tensor, boxes: Tensor, scene: int, parameters: DetectionParameters) -> NDArray[np.float64]:
    """Rows of one scene, the most probable first, of ``[n, classes]`` and ``[n, 4]``."""
    classes = probabilities.shape[1]
    considered = max(_FEWEST_CONSIDERED, _CONSIDERED_FOR_EACH * parameters.most_detections)
    scores, numbers = probabilities.flatten().topk(min(considered, probabilities.numel()))
    numbers = numbers[scores >= parameters.least_score]
    places, labels = numbers // classes, numbers % classes
    # Boxes of different classes are moved apart, so that none suppresses another.
    apart = boxes[places] + labels[:, None] * (2 * boxes.max() + 1)
    left = suppressed(apart, scores[: len(numbers)], parameters.overlap)[: parameters.most_detections]
    columns = [torch.full((len(left), 1), scene), labels[left, None], scores[left, None], boxes[places[left]]]
    rows: NDArray[np.float64] = torch.cat([one.double() for one in columns], dim=1).numpy()
    return rows


_FEWEST_CONSIDERED, _CONSIDERED_FOR_EACH = 200, 20
"""Pairs of a place and a class, the most probable ones of a scene, and for each detection that may be left of them: an
object is seen from many places, so that far more boxes are suppressed than stay."""


def require_coco() -> None:
    """ArchatlasError where the library that computes mean average precision is not installed."""
    if find_spec("faster_coco_eval") is None:
        raise ArchatlasError(
            "detectors are judged by faster-coco-eval, which is not installed: run "
            "`pip install -c constraints.txt -e '.[detection]'`"
        )


def objects_of(scenes: Scenes) -> pd.DataFrame:
    """The objects that there are: ``FOUND_COLUMNS`` without the score."""
    table = pd.DataFrame(scenes.boxes.numpy(), columns=SIDES)
    table.insert(0, "label", scenes.labels.numpy())
    table.insert(0, "scene", scenes.scene.numpy())
    return table


def precision(objects: pd.DataFrame, found: pd.DataFrame, scenes: NDArray[np.int64]) -> dict[str, float]:
    """``PRECISIONS`` over these scenes (numbers, of which one may come several times), by pycocotools' arithmetic.

    Args:
        objects: as of ``objects_of``.
        found: ``FOUND_COLUMNS``.
        scenes: ``[n]``.
    """
    require_coco()
    from faster_coco_eval import COCO, COCOeval_faster

    if found.empty:
        return dict.fromkeys(PRECISIONS, 0.0)
    truth = {
        "images": [{"id": number} for number in range(1, len(scenes) + 1)],
        "categories": [{"id": int(label)} for label in sorted(objects["label"].unique())],
        "annotations": [
            {"id": number, "iscrowd": 0, "area": box[2] * box[3], "bbox": box, "image_id": scene, "category_id": label}
            for number, (scene, label, _, box) in enumerate(_rows(objects, scenes), start=1)
        ],
    }
    results = [
        {"image_id": scene, "category_id": label, "score": score, "bbox": box}
        for scene, label, score, box in _rows(found, scenes)
    ]
    known = COCO(truth, print_function=_quiet)
    judged = COCOeval_faster(known, known.loadRes(results), iouType="bbox", print_function=_quiet)
    judged.evaluate()
    judged.accumulate()
    judged.summarize()
    return {name: float(value) for name, value in zip(PRECISIONS, judged.stats, strict=False)}


def _rows(table: pd.DataFrame, scenes: NDArray[np.int64]) -> list[tuple[int, int, float, list[float]]]:
    """Scene as it is numbered among ``scenes`` (from 1), label, score, box as left, top, width, height."""
    values = table[SIDES].to_numpy(dtype=np.float64)
    boxes = np.concatenate([values[:, :2], values[:, 2:] - values[:, :2]], axis=1).tolist()
    labels = table["label"].tolist()
    scores = table["score"].tolist() if "score" in table else [1.0] * len(table)
    own = table.reset_index(drop=True).groupby("scene").indices
    return [
        (number, labels[row], scores[row], boxes[row])
        for number, scene in enumerate(scenes.tolist(), start=1)
        for row in own.get(scene, ())
    ]


def _quiet(*_: Any) -> None:
    """COCO's evaluation prints what it does."""


def compared(objects: pd.DataFrame, found: Mapping[str, Sequence[pd.DataFrame]], scenes: int) -> dict[str, Any]:
    """Mean average precision of each role over its seeds, and how far the first is ahead, with 95% intervals.

    An interval holds the choice of scenes (a jackknife that leaves out a tenth of them at a time) and of seeds, each
    known by as many degrees of freedom as there are tenths or seeds but one (Student's t by Welch and Satterthwaite).
    One seed tells nothing of the noise of training, and has no interval. All roles see the same scenes, so the
    difference is taken sample by sample.

    Args:
        objects: in all scenes.
        found: by role, ``FOUND_COLUMNS`` of each seed; as many for each role.
        scenes: how many there are.

    Returns:
        by role: mean, low, high (None of one seed); and ``ahead``, the same of the first role's lead where there are
        two.
    """
    numbers = np.arange(scenes)
    samples = [numbers, *(numbers[numbers % _GROUPS != group] for group in range(_GROUPS))]
    maps = [
        np.array([[precision(objects, one, sample)["map"] for one in of_role] for sample in samples])
        for of_role in found.values()
    ]
    told: dict[str, Any] = {role: _interval(values) for role, values in zip(found, maps, strict=True)}
    if len(maps) == 2:
        told["ahead"] = _interval(maps[0] - maps[1])
    return told


_GROUPS = 10


def _interval(values: NDArray[np.float64]) -> dict[str, float | None]:
    """Mean and interval of values ``[1 + groups, seeds]``, the first row of all scenes."""
    mean, left_out, seeds = float(values[0].mean()), values[1:].mean(axis=1), values.shape[1]
    if seeds < 2:
        return {"mean": mean, "low": None, "high": None}
    of_scenes = float((_GROUPS - 1) / _GROUPS * ((left_out - left_out.mean()) ** 2).sum())
    of_seeds = float(values[0].var(ddof=1) / seeds)
    reach = combined_reach([of_scenes, of_seeds], [_GROUPS - 1, seeds - 1])
    return {"mean": mean, "low": mean - reach, "high": mean + reach}
