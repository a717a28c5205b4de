from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from archatlas.signals.supernet import majority, near_majority, scores_disagree


def counts(*images: int) -> pd.DataFrame:
    return pd.DataFrame({"split": "validation", "class_name": [str(i) for i in range(len(images))], "images": images})


def scored(**by_seed: list[float]) -> pd.DataFrame:
    """Accuracies of networks by super-network, one half each."""
    rows = [
        (f"n{number:03d}", int(seed.removeprefix("seed_")), "a", accuracy)
        for seed, accuracies in by_seed.items()
        for number, accuracy in enumerate(accuracies)
    ]
    return pd.DataFrame(rows, columns=["network", "seed", "half", "accuracy"])


def test_the_largest_class_of_the_validation_images_counts() -> None:
    table = pd.concat([counts(30, 10), counts(5, 95).assign(split="train")])
    assert majority(table) == (0.75, 40)
    assert np.isnan(majority(table, "test")[0])
    assert majority(counts(0, 0))[1] == majority(pd.DataFrame())[1] == 0


def test_broken_is_within_two_errors_and_a_warning_within_a_tenth_of_the_way() -> None:
    even = counts(*[1000] * 10)  # error 0.003
    levels = {}
    for mean in (0.105, 0.107, 0.18, 0.195):
        found = near_majority(scored(seed_0=[mean - 0.05, mean + 0.05]), even)
        levels[mean] = None if found is None else found.level
    assert levels == {0.105: "broken", 0.107: "warning", 0.18: "warning", 0.195: None}
    told = near_majority(scored(seed_0=[0.1]), even)
    assert told is not None
    assert "Subnets name 10.0% of the validation images" in told.what
    assert "would name 10.0% (± 0.3% by 10000 images)" in told.what
    assert "supernet.largest_first_epochs" in told.cure


def test_where_nothing_was_trained_nothing_is_said() -> None:
    assert near_majority(scored(seed_0=[0.1]), counts()) is None
    assert near_majority(scored(seed_0=[0.1]).iloc[:0], counts(1, 1)) is None


def test_scores_that_agree_give_no_signal_and_noise_is_broken() -> None:
    generator = np.random.default_rng(0)
    truth = generator.normal(size=80)

    def level(noise: float) -> str | None:
        seeds = {f"seed_{seed}": list(truth + noise * generator.normal(size=80)) for seed in range(2)}
        found = scores_disagree(scored(**seeds), "accuracy")
        return None if found is None else found.level

    assert level(0.3) is None
    assert level(20.0) == "broken"


def test_a_constant_super_network_agrees_with_nothing() -> None:
    found = scores_disagree(scored(seed_0=[0.1] * 20, seed_1=list(np.linspace(0.1, 0.5, 20))), "accuracy")
    assert found is not None
    assert found.level == "broken"
    assert "tau 0.00 (0.00 to 0.00)" in found.what


def test_halves_stand_in_for_a_second_super_network() -> None:
    rising = list(np.linspace(0, 1, 20))
    table = scored(seed_0=rising)
    assert scores_disagree(table, "accuracy") is None  # one half: nothing to hold against
    both = pd.concat([table, table.assign(half="b", accuracy=rising[::-1])])
    found = scores_disagree(both, "accuracy")
    assert found is not None
    assert found.what.startswith("The halves of the validation images order 20 networks with tau -1.00")


@settings(max_examples=40)
@given(st.lists(st.integers(0, 10**6), min_size=6, max_size=40, unique=True))
def test_super_networks_of_one_order_always_agree(scores: list[int]) -> None:
    same = [float(score) for score in scores]
    higher = [2 * score + 1 for score in same]
    assert scores_disagree(scored(seed_0=same, seed_1=higher), "accuracy") is None
