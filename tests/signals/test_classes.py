from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from archatlas.predictors.metrics import wilson_interval
from archatlas.signals.classes import classes_never_found, near_largest_class


def counts(**images: int) -> pd.DataFrame:
    of_test = pd.DataFrame({"split": "test", "class_name": list(images), "images": list(images.values())})
    return pd.concat([of_test, of_test.assign(split="train", images=7)])


def exported(budget: str = "small", **accuracies: float | None) -> dict[str, Any]:
    """A winner by the accuracies of its classes, of which the first has 95 and the others 5 images."""
    first, *others = [0.0 if accuracy is None else accuracy for accuracy in accuracies.values()]
    return {
        "budget": budget,
        "exported_accuracy": 0.95 * first + 0.05 * sum(others) / len(others),
        "balanced_accuracy": (first + sum(others)) / len(accuracies),
        "per_class_accuracy": accuracies,
    }


@pytest.mark.parametrize(
    ("accuracies", "images", "level"),
    [
        ({"ok": 1.0, "broken": 0.0}, 1, "broken"),
        ({"ok": 1.0, "broken": 0.2}, 1, "warning"),
        ({"ok": 1.0, "broken": 0.4}, 1, "warning"),
        ({"ok": 1.0, "broken": 0.4}, 100, None),  # As good, and surely so.
        ({"ok": 0.93, "broken": 0.8}, 1, None),  # Right less often, but finds both.
        ({"ok": 0.93, "broken": 0.2}, 1, "broken"),
    ],
)
def test_a_winner_is_held_against_naming_the_largest_class(
    accuracies: dict[str, float], images: int, level: str | None
) -> None:
    found = near_largest_class([exported(**accuracies)], counts(ok=95 * images, broken=5 * images))
    assert (None if found is None else found.level) == level


def test_what_is_said_of_it() -> None:
    good, lazy = exported("large", ok=1.0, broken=1.0), exported(ok=1.0, broken=0.0)
    found = near_largest_class([good, lazy], counts(ok=95, broken=5))
    assert found is not None
    low, high = wilson_interval(0.95, 100)
    assert found.what == (
        "Naming the largest class (ok) for all 100 test images is right on 95.0%, and what is exported is no better. "
        f"small: 95.0% ({100 * low:.1f}% to {100 * high:.1f}%)."
    )
    assert "`class_weights: balanced` in the three `training`" in found.cure
    assert "more images of the others" in found.cure


def test_classes_that_are_never_found_are_named_with_their_images() -> None:
    lazy = exported(ok=1.0, broken=0.0, absent=None, bent=0.0)
    found = classes_never_found([exported("large", ok=1.0, broken=0.1), lazy], counts(ok=95, broken=5, bent=3))
    assert found is not None
    assert found.level == "warning"
    assert found.what == "The winner of small never finds broken (0 of 5 test images), bent (0 of 3 test images)."
    assert "class_weights: balanced" in found.cure


def test_of_what_is_not_known_nothing_is_said() -> None:
    lazy = exported(ok=1.0, broken=0.0)
    assert near_largest_class([lazy], pd.DataFrame()) is None
    assert near_largest_class([lazy], counts().iloc[:0]) is None
    none = {"budget": "small", "exported_accuracy": None, "balanced_accuracy": None, "per_class_accuracy": {}}
    assert near_largest_class([none], counts(ok=95, broken=5)) is None
    assert classes_never_found([none, {"budget": "b"}], counts(ok=95, broken=5)) is None
