"""What winners make of each class of the test images: figures of tables, before anything is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from archatlas.reporting import numbers
from archatlas.reporting.run import Run
from archatlas.signals.classes import images_in_test
from archatlas.verification.mistakes import mistakes_of

Counts = NDArray[np.int64]

UNEQUAL = 2


@dataclass(frozen=True)
class Mistake:
    """A test image that a winner got wrong: uint8 [c, h, w], what it is and was taken for, and where it comes from."""

    pixels: NDArray[np.uint8]
    true_class: str
    predicted_class: str
    probability: float
    file: str


@dataclass(frozen=True)
class Confusion:
    """Test images of one class that were taken for another: their number, and their share of the class."""

    true_class: str
    predicted_class: str
    images: int
    share: float


def balanced_accuracy(winner: Mapping[str, Any]) -> float | None:
    """Mean accuracy of the classes that have test images, so that a rare class counts as a frequent one does.

    None where the winner was not tested.
    """
    if not numbers.is_missing(winner.get("balanced_accuracy")):
        return float(winner["balanced_accuracy"])
    recalls = [value for value in (winner.get("per_class_accuracy") or {}).values() if not numbers.is_missing(value)]
    return float(np.mean(recalls)) if recalls else None


def unequal_classes(run: Run) -> bool:
    """Whether the largest class of the test images has more than ``UNEQUAL`` times those of the smallest that has any.

    Balanced accuracy then stands beside accuracy.
    """
    counts = [images for images in images_in_test(run.class_counts).values() if images]
    return bool(counts) and not run.alone_is_looked_up and max(counts) > UNEQUAL * min(counts)


def hardest_class(winner: Mapping[str, Any]) -> tuple[str, float] | None:
    """The class of the least test accuracy (the first of equal ones), and that accuracy; None without any."""
    recalls = {
        str(name): float(value)
        for name, value in (winner.get("per_class_accuracy") or {}).items()
        if not numbers.is_missing(value)
    }
    return min(recalls.items(), key=lambda item: item[1]) if recalls else None


def most_confused(counts: Counts, class_names: Sequence[str], most: int = 3) -> list[Confusion]:
    """The pairs of a class and another that it is taken for most often, the most images first, ties by share of class.

    ``counts`` int64 [c, c]: true class by row, predicted class by column (`mistakes.confusion_counts`).
    """
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    share = wrong / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    order = np.lexsort((-share.ravel(), -wrong.ravel()))[:most]
    pairs = [divmod(int(index), len(counts)) for index in order]
    return [
        Confusion(class_names[row], class_names[column], int(wrong[row, column]), float(share[row, column]))
        for row, column in pairs
        if wrong[row, column]
    ]


def worst_mistakes(run: Run, budget: str) -> list[Mistake]:
    """A budget's worst mistakes with their pixels and files; empty where no predictions were kept.

    ``run.test_mistakes`` has the pixels of the first of `mistakes_of`, in that order. A file that ``run.split_files``
    does not name is called by its place in the test split.
    """
    pixels = run.test_mistakes.get(budget)
    if pixels is None or run.test_predictions.empty:
        return []
    images = np.asarray(pixels, dtype=np.uint8)
    rows = mistakes_of(run.test_predictions, budget, count=len(images)).to_dict("records")
    names, files = class_names(run), _test_files(run.split_files)
    return [
        Mistake(
            pixels=image,
            true_class=names[int(row["label"])],
            predicted_class=names[int(row["predicted"])],
            probability=float(row["probability"]),
            file=files.get(int(row["position"]), f"test image {int(row['position'])}"),
        )
        for image, row in zip(images, rows, strict=True)
    ]


def _test_files(split_files: pd.DataFrame) -> dict[int, str]:
    if split_files.empty:
        return {}
    test = split_files[split_files["split"] == "test"]
    return {int(position): str(file) for position, file in zip(test["position"], test["file"], strict=True)}


def class_names(run: Run) -> list[str]:
    """Names of the classes, in the order of labels."""
    return [str(name) for name in run.image_description.get("class_names", ())]
