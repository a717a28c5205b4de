"""Whether winners are better than what stands beside them, and whether the images can tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from archatlas.predictors.metrics import wilson_interval
from archatlas.predictors.noise import combined_reach
from archatlas.signals.classes import classes_never_found, near_largest_class
from archatlas.signals.signal import Signal, by_hand, given, percent

WIDEST_HALF = 0.05
"""Half-width of the Wilson interval of a winner's accuracy above which a split is too small."""

Json = Mapping[str, Any]

UNKNOWN_NOISE = "one training of each does not say how far trainings differ"
"""Why no margin is told where networks were trained once and no two random ones stand beside them."""

_RIVALS = {"random": "random networks", "mobilenet": "a scaled MobileNet"}


@dataclass(frozen=True)
class Comparison:
    """A winner less what stands beside it: the difference of test accuracies, and how far off chance may put it.

    The margin is half a 95% interval; None where nothing is known of how far trainings differ.
    """

    role: Literal["random", "mobilenet"]
    accuracy: float
    difference: float
    margin: float | None

    @property
    def rival(self) -> str:
        """What stands beside the winner, in words."""
        return _RIVALS[self.role]

    @property
    def verdict(self) -> Literal["better", "worse", "unclear"]:
        """``better`` and ``worse`` where the difference is beyond the margin."""
        if self.margin is None or abs(self.difference) <= self.margin:
            return "unclear"
        return "better" if self.difference > 0 else "worse"


def images_of(image_description: Json, split: str) -> int:
    """How many images a split has; 0 where it is not known."""
    return int((image_description.get("splits") or {}).get(split) or 0)


def comparisons(winner: Json, test_images: int | None) -> list[Comparison]:
    """A winner beside random networks and the MobileNet of its budget, as far as they were tested.

    The margin is that of ``noise.combined_reach`` over independent variances. One comes of the choice of test images,
    paired, image by image, where that is known (``random_paired_error``, ``mobilenet_paired_error``). Elsewhere it is
    that of independent images, rather too much than too little, after Agresti and Caffo (2000): ``p (1 - p) / (n + 2)``
    with ``p = (n a + 1) / (n + 2)``, once for each of the two. The others come of trainings, with the variance ``t`` of
    one (``training_noise``) and ``s`` trainings of the winner. A MobileNet, trained alike, has as many: ``2 t / s``.
    The mean of ``k`` random networks varies by their own spread: ``t / s + r / k``. Where that very spread stands for
    ``t``, it is one variance for all: ``2 t`` and ``t (1 + 1 / k)``.

    Args:
        winner: test_accuracy_mean, seeds, training_noise; random_accuracy_mean, _std, random_count;
            mobilenet_accuracy_mean.
        test_images: their number; None: accuracies are those of a public table, and only trainings vary.
    """
    own = winner.get("test_accuracy_mean")
    if own is None:
        return []
    roles: tuple[Literal["random", "mobilenet"], ...] = ("random", "mobilenet")
    found = []
    for role in roles:
        accuracy = winner.get(f"{role}_accuracy_mean")
        if accuracy is None:
            continue
        parts = _by_trainings(winner, role)
        margin = None
        if parts:
            parts += _by_images(own, accuracy, winner.get(f"{role}_paired_error"), test_images)
            margin = combined_reach([variance for variance, _ in parts], [degrees for _, degrees in parts])
        found.append(Comparison(role, float(accuracy), float(own) - float(accuracy), margin))
    return found


_Part = tuple[float, float]
"""A variance, and the degrees of freedom on which it was estimated."""


def _by_trainings(winner: Json, role: str) -> list[_Part]:
    """Variances of a difference that come of trainings; none where nothing is known of them."""
    noise = winner.get("training_noise")
    if noise is None:
        return []
    of_one, degrees = float(noise["std"]) ** 2, float(noise["degrees"])
    own = of_one / max(len(winner.get("seeds") or ()), 1)
    count, spread = max(int(winner.get("random_count") or 1), 1), float(winner.get("random_accuracy_std") or 0.0)
    if role == "mobilenet" or (count == 1 and noise["of"] == "trainings"):
        return [(2 * own, degrees)]
    if noise["of"] == "trainings":
        return [(own, degrees), (spread**2 / count, count - 1.0)]
    return [(own + of_one / count, degrees)]


def _by_images(own: Any, other: Any, paired_error: Any, images: int | None) -> list[_Part]:
    """Variances of a difference of two accuracies that come of the choice of test images."""
    if images is None:
        return []
    free = max(images - 1.0, 1.0)
    if paired_error is not None:
        return [(float(paired_error) ** 2, free)]
    shares = [(images * float(accuracy) + 1) / (images + 2) for accuracy in (own, other)]
    return [(share * (1 - share) / (images + 2), free) for share in shares]


def not_better(winners: Sequence[Json], test_images: int | None, *, scheduled: bool = False) -> Signal | None:
    """Whether some winner is not better, beyond noise, than random networks or the MobileNet of its budget.

    Broken if one of them is better than the winner beyond noise, a warning if this run cannot tell. ``scheduled`` says
    whether a time budget decides how often and beside how many winners are trained.
    """
    told, worse = [], False
    for winner in winners:
        for one in comparisons(winner, test_images):
            if one.verdict != "better":
                worse = worse or one.verdict == "worse"
                noise = UNKNOWN_NOISE if one.margin is None else f"noise ± {100 * one.margin:.1f}"
                told.append(f"{winner['budget']}: {100 * one.difference:+.1f} points to {one.rival} ({noise})")
    if not told:
        return None
    return Signal(
        "verify_candidates",
        "winner_not_better",
        "broken" if worse else "warning",
        f"Winners are {'worse than' if worse else 'not better, beyond noise, than'} what stands beside them, trained "
        f"alike. {'; '.join(told)}.",
        "They are reported as chosen, not as better.",
        "If scores rank poorly, cure that first; else have less noise by more test images (`images.test_fraction`), or "
        f"{by_hand('raise `verification.seeds` and `verification.random_networks`', scheduled=scheduled)}.",
    )


def small_split(
    winners: Sequence[Json], image_description: Json, split: Literal["validation", "test"]
) -> Signal | None:
    """Whether a split is too small: the widest Wilson interval of a winner's accuracy on it is beyond ``WIDEST_HALF``.

    Args:
        winners: budget, validation_accuracy_mean or test_accuracy_mean; of the test exported_accuracy, if it is known.
        image_description: splits, images by split.
        split: which of them.
    """
    images = images_of(image_description, split)
    # What stands on the first screen is the exported file's.
    names = ["exported_accuracy"] * (split == "test") + [f"{split}_accuracy_mean"]
    known = [(one["budget"], next((one[name] for name in names if one.get(name) is not None), None)) for one in winners]
    if not images or not any(accuracy is not None for _, accuracy in known):
        return None
    intervals = [
        (wilson_interval(float(accuracy), images), budget, float(accuracy))
        for budget, accuracy in known
        if accuracy is not None
    ]
    (low, high), budget, accuracy = max(intervals, key=lambda one: one[0][1] - one[0][0])
    if (high - low) / 2 <= WIDEST_HALF:
        return None
    use = "choosing among finalists by it is partly luck" if split == "validation" else "small differences mean nothing"
    return Signal(
        "verify_candidates",
        f"small_{split}_split",
        "warning",
        f"The {split} split has {images} images: the winner of {budget}, right on {percent(accuracy)}, could be one of "
        f"{percent(low)} to {percent(high)} (95%), so {use}.",
        "Figures stand with their intervals." if split == "test" else "The best by it is taken all the same.",
        f"More images, or a larger `images.{split}_fraction`.",
    )


def winner_signals(
    winners: Sequence[Json], image_description: Json | None, class_counts: pd.DataFrame, *, scheduled: bool = False
) -> list[Signal]:
    """All checks of the winners that were found.

    Args:
        winners: a document per budget.
        image_description: with the images of each split; None: accuracies are those of a public table.
        class_counts: images by split and class; empty where nothing was trained.
        scheduled: whether a time budget decides how they are trained.
    """
    found = [winner for winner in winners if winner.get("status") == "found"]
    if image_description is None:
        return given(not_better(found, None, scheduled=scheduled))
    return given(
        near_largest_class(found, class_counts),
        classes_never_found(found, class_counts),
        small_split(found, image_description, "validation"),
        small_split(found, image_description, "test"),
        not_better(found, images_of(image_description, "test") or None, scheduled=scheduled),
    )
