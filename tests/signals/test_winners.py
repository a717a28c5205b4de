from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm, t

from archatlas.predictors.metrics import wilson_interval
from archatlas.signals.winners import UNKNOWN_NOISE, comparisons, images_of, not_better, small_split, winner_signals

ALIKE = {"std": 0.0, "degrees": 3, "of": "random networks"}
"""Trainings that do not differ."""


def winner(own: float, random: float | None = None, mobilenet: float | None = None, **changes: Any) -> dict[str, Any]:
    return {
        "budget": "small",
        "status": "found",
        "test_accuracy_mean": own,
        "test_accuracy_std": None,
        "validation_accuracy_mean": own,
        "seeds": [0],
        "random_accuracy_mean": random,
        "random_accuracy_std": None,
        "random_count": 4,
        "mobilenet_accuracy_mean": mobilenet,
        "training_noise": ALIKE,
        **changes,
    }


def test_the_choice_of_images_by_hand() -> None:
    (one,) = comparisons(winner(0.5, 0.5), 98)
    # (98 x 0.5 + 1) / 100 = 0.5, so 0.25 / 100 for each of the two; 97 degrees each are 194 together.
    assert one.margin == pytest.approx(t.ppf(0.975, 194) * (2 * 0.0025) ** 0.5)
    assert (one.rival, one.difference, one.verdict) == ("random networks", 0.0, "unclear")
    (paired,) = comparisons(winner(0.5, 0.5, random_paired_error=0.03), 98)
    assert paired.margin == pytest.approx(t.ppf(0.975, 97) * 0.03)


def test_trainings_of_several_seeds_by_hand() -> None:
    noise = {"std": 0.1, "degrees": 12, "of": "trainings"}
    varied = winner(0.5, 0.5, 0.5, training_noise=noise, seeds=[0, 1, 2, 3], random_accuracy_std=0.2)
    random, mobilenet = comparisons(varied, None)
    own, drawn = 0.1**2 / 4, 0.2**2 / 4
    degrees = (own + drawn) ** 2 / (own**2 / 12 + drawn**2 / 3)
    assert random.margin == pytest.approx(t.ppf(0.975, degrees) * (own + drawn) ** 0.5)
    assert mobilenet.margin == pytest.approx(t.ppf(0.975, 12) * (2 * own) ** 0.5)
    # One random network has no spread: it is that network that is compared, trained as often.
    alone, _ = comparisons({**varied, "random_count": 1, "random_accuracy_std": None}, None)
    assert alone.margin == pytest.approx(mobilenet.margin)


def test_with_one_training_of_each_random_networks_say_how_far_trainings_differ() -> None:
    noise = {"std": 0.02, "degrees": 3, "of": "random networks"}
    random, mobilenet = comparisons(winner(0.9, 0.85, 0.85, training_noise=noise, random_accuracy_std=0.02), None)
    assert random.margin == pytest.approx(t.ppf(0.975, 3) * 0.02 * (1 + 1 / 4) ** 0.5)
    assert mobilenet.margin == pytest.approx(t.ppf(0.975, 3) * 0.02 * 2**0.5)
    assert (random.verdict, mobilenet.verdict) == ("unclear", "unclear")
    # Known for certain, the same spread would call it better.
    assert norm.ppf(0.975) * 0.02 * (1 + 1 / 4) ** 0.5 < 0.05


def test_where_nothing_is_known_of_trainings_nothing_is_better_or_worse() -> None:
    for own in (0.9, 0.1):
        found = comparisons(winner(own, 0.5, 0.5, training_noise=None, random_count=1), 10_000)
        assert [(one.margin, one.verdict) for one in found] == [(None, "unclear")] * 2
    doubt = not_better([winner(0.9, 0.5, training_noise=None, random_count=1)], 10_000)
    assert doubt is not None
    assert doubt.level == "warning"
    assert f"small: +40.0 points to random networks ({UNKNOWN_NOISE})" in doubt.what


def test_what_was_not_tested_is_not_compared() -> None:
    assert comparisons({"test_accuracy_mean": None, "random_accuracy_mean": 0.5}, 100) == []
    assert comparisons(winner(0.5), 100) == []
    assert not_better([winner(0.5)], 100) is None


def test_all_right_on_few_images_is_not_certain() -> None:
    (one,) = comparisons(winner(1.0, 0.95), 20)
    assert one.margin is not None
    assert one.margin > 0.05
    assert one.verdict == "unclear"


def test_the_worst_comparison_decides_the_level() -> None:
    assert not_better([winner(0.9, 0.5, 0.5)], 1000) is None
    unclear = not_better([winner(0.9, 0.5, 0.89)], 1000)
    assert unclear is not None
    assert unclear.level == "warning"
    assert "small: +1.0 points to a scaled MobileNet" in unclear.what
    assert "random" not in unclear.what
    worse = not_better([winner(0.5, 0.9, 0.49)], 1000)
    assert worse is not None
    assert worse.level == "broken"
    assert "-40.0 points to random networks" in worse.what


@given(st.floats(0, 1), st.floats(0, 1), st.integers(1, 10_000))
def test_a_comparison_turned_round_gives_the_opposite(own: float, other: float, images: int) -> None:
    (one,), (turned,) = comparisons(winner(own, other), images), comparisons(winner(other, own), images)
    assert one.margin == pytest.approx(turned.margin)
    assert {"better": "worse", "worse": "better", "unclear": "unclear"}[one.verdict] == turned.verdict


@pytest.mark.parametrize(("images", "said"), [(60, True), (1000, False)])
def test_a_split_is_too_small_if_its_interval_is_wide(images: int, said: bool) -> None:
    description = {"splits": {"test": images, "validation": 5000}}
    found = small_split([winner(0.5), winner(0.9, budget="large")], description, "test")
    assert (found is not None) is said
    if found is not None:
        low, high = wilson_interval(0.5, images)
        assert (
            f"The test split has 60 images: the winner of small, right on 50.0%, could be one of {100 * low:.1f}%"
            in (found.what)
        )
        assert f"{100 * high:.1f}% (95%)" in found.what
    assert small_split([winner(0.5)], description, "validation") is None


def test_what_is_not_known_is_not_judged() -> None:
    assert images_of({}, "test") == 0
    assert small_split([winner(0.5)], {}, "test") is None
    exported = small_split([winner(0.5) | {"exported_accuracy": 0.75}], {"splits": {"test": 24}}, "test")
    assert exported is not None
    assert "right on 75.0%" in exported.what
    assert small_split([], {"splits": {"test": 3}}, "test") is None


def test_a_public_table_has_no_images_of_ours() -> None:
    exact, none = winner(0.901, 0.9), pd.DataFrame()
    assert winner_signals([exact], None, none) == []
    names = [signal.name for signal in winner_signals([exact], {"splits": {"validation": 50, "test": 50}}, none)]
    assert names == ["small_validation_split", "small_test_split", "winner_not_better"]
    assert winner_signals([{"budget": "b", "status": "none"}], {"splits": {"test": 5}}, none) == []


def test_a_winner_that_names_the_largest_class_does_not_stand_alone() -> None:
    lazy = winner(0.95, exported_accuracy=0.95, balanced_accuracy=0.5, per_class_accuracy={"ok": 1.0, "broken": 0.0})
    counts = pd.DataFrame({"split": "test", "class_name": ["ok", "broken"], "images": [1900, 100]})
    description = {"splits": {"validation": 2000, "test": 2000}}
    found = winner_signals([lazy], description, counts)
    assert [(one.name, one.level) for one in found] == [
        ("winner_near_largest_class", "broken"), ("classes_never_found", "warning"),
    ]  # fmt: skip
    assert winner_signals([lazy], None, counts) == []  # Of a public table nothing is known of classes.
