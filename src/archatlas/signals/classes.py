"""Whether winners tell classes apart, or name the largest one and leave others out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from archatlas.predictors.metrics import wilson_interval
from archatlas.signals.signal import Level, Signal, percent

FINDS_CLASSES = 0.5
"""Part of the way from guessing to 1 of the balanced accuracy from which a winner surely finds classes. Where rare ones
count as much as others (``class_weights``), it may well be right less often than who always names the largest."""

_MOST_NAMED = 8
_CURE = (
    "Set `class_weights: balanced` in the three `training` (`supernet.training`, `verification.training`, "
    "`finishing.training`), or have more images of {}."
)

Json = Mapping[str, Any]


def images_in_test(class_counts: pd.DataFrame) -> dict[str, int]:
    """Test images of each class.

    Args:
        class_counts: split, class_name, images; empty where nothing was trained.
    """
    if class_counts.empty:
        return {}
    test = class_counts[class_counts["split"] == "test"]
    return {str(name): int(images) for name, images in zip(test["class_name"], test["images"], strict=True)}


def never_found(winner: Json) -> list[str]:
    """Classes of which the winner names no test image rightly, in the order of classes."""
    return [str(name) for name, accuracy in (winner.get("per_class_accuracy") or {}).items() if accuracy == 0]


def lost_sentence(budget: str, lost: Sequence[str], images: Mapping[str, int]) -> str:
    """Which classes the winner never finds, of how many ``images``; empty if there are none."""
    if not lost:
        return ""
    named = [f"{name} (0 of {images[name]} test images)" if name in images else name for name in lost[:_MOST_NAMED]]
    more = f" and {len(lost) - len(named)} more classes" if len(lost) > len(named) else ""
    return f"The winner of {budget} never finds {', '.join(named)}{more}."


def near_largest_class(winners: Sequence[Json], class_counts: pd.DataFrame) -> Signal | None:
    """Whether some exported winner is not surely right more often than who names the largest class for all images.

    That is where the 95% Wilson interval of its test accuracy begins at that class's share or below; broken if the
    accuracy itself does not exceed it. Not of a winner that finds the other classes too (``FINDS_CLASSES``).

    Args:
        winners: budget, exported_accuracy, balanced_accuracy and per_class_accuracy; of what was not exported nothing
            is said.
        class_counts: split, class_name, images.
    """
    images = images_in_test(class_counts)
    total = sum(images.values())
    if not total:
        return None
    largest = max(images, key=images.__getitem__)
    share, told = images[largest] / total, []
    level: Level = "warning"
    for winner in winners:
        accuracy = winner.get("exported_accuracy")
        if accuracy is None or _finds_classes(winner):
            continue
        low, high = wilson_interval(float(accuracy), total)
        if low <= share:
            level = "broken" if accuracy <= share else level
            told.append(f"{winner['budget']}: {percent(accuracy)} ({percent(low)} to {percent(high)})")
    if not told:
        return None
    return Signal(
        "test_winners",
        "winner_near_largest_class",
        level,
        f"Naming the largest class ({largest}) for all {total} test images is right on {percent(share)}, and what is "
        f"exported is {'no' if level == 'broken' else 'not surely'} better. {'; '.join(told)}.",
        "It is exported all the same; balanced accuracy says more of it.",
        _CURE.format("the others"),
    )


def _finds_classes(winner: Json) -> bool:
    """Whether the accuracies of all classes show that a winner tells them apart."""
    known = [accuracy for accuracy in (winner.get("per_class_accuracy") or {}).values() if accuracy is not None]
    balanced, guessed = winner.get("balanced_accuracy"), 1 / max(len(known), 1)
    return balanced is not None and float(balanced) >= guessed + FINDS_CLASSES * (1 - guessed)


def classes_never_found(winners: Sequence[Json], class_counts: pd.DataFrame) -> Signal | None:
    """Whether some winner names no test image of a class rightly.

    Args:
        winners: budget and per_class_accuracy (None of a class without test images).
        class_counts: split, class_name, images.
    """
    images = images_in_test(class_counts)
    told = [sentence for one in winners if (sentence := lost_sentence(str(one["budget"]), never_found(one), images))]
    if not told:
        return None
    return Signal(
        "test_winners",
        "classes_never_found",
        "warning",
        " ".join(told),
        "It is exported all the same.",
        _CURE.format("these classes"),
    )
