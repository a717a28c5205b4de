from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archatlas.predictors.metrics import (
    bootstrap_interval,
    kendall_tau,
    kendall_tau_top_half,
    mean_pairwise_tau,
    mean_pairwise_tau_interval,
    paired_bootstrap_interval,
    rmse,
    spearman,
    wilson_interval,
)


def tau_b(x: list[int], y: list[int]) -> float:
    """Kendall's tau-b from its definition."""
    agree = ties_x = ties_y = pairs = 0
    for i in range(len(x)):
        for j in range(i):
            product = np.sign(x[i] - x[j]) * np.sign(y[i] - y[j])
            agree += product
            ties_x += x[i] == x[j]
            ties_y += y[i] == y[j]
            pairs += 1
    below = (pairs - ties_x) * (pairs - ties_y)
    return agree / below**0.5 if below else 0.0


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=12))
def test_kendall_tau_is_tau_b(pairs: list[tuple[int, int]]) -> None:
    x, y = [a for a, _ in pairs], [b for _, b in pairs]
    assert kendall_tau(np.array(x, float), np.array(y, float)) == pytest.approx(tau_b(x, y), abs=1e-12)


def test_small_values() -> None:
    truth = np.array([1.0, 2.0, 3.0, 4.0])
    assert kendall_tau(truth, np.array([1.0, 3.0, 2.0, 4.0])) == pytest.approx(4 / 6)
    assert spearman(truth, np.array([1.0, 3.0, 2.0, 4.0])) == pytest.approx(0.8)
    assert kendall_tau_top_half(truth, np.array([9.0, 8.0, 4.0, 3.0])) == pytest.approx(-1)
    assert rmse(truth, truth + np.array([1, -1, 1, -1])) == 1


def test_a_constant_ranks_nothing() -> None:
    truth = np.arange(5.0)
    for metric in (kendall_tau, spearman, kendall_tau_top_half):
        assert metric(truth, np.full(5, 0.3)) == 0.0
    assert kendall_tau(np.zeros(0), np.zeros(0)) == 0.0


def test_intervals_hold_the_value_and_follow_the_seed() -> None:
    generator = np.random.default_rng(0)
    truth = generator.normal(size=80)
    good, bad = truth + generator.normal(size=80) * 0.3, truth + generator.normal(size=80) * 2
    low, high = bootstrap_interval(truth, good, samples=200, seed=1)
    assert low < kendall_tau(truth, good) < high
    assert (low, high) == bootstrap_interval(truth, good, samples=200, seed=1)
    assert (low, high) != bootstrap_interval(truth, good, samples=200, seed=2)
    least, most = paired_bootstrap_interval(truth, good, bad, samples=200)
    assert 0 < least < kendall_tau(truth, good) - kendall_tau(truth, bad) < most
    assert paired_bootstrap_interval(truth, good, good, samples=20) == (0.0, 0.0)


def test_resampled_tau_is_the_tau_of_the_resampled_rows() -> None:
    generator = np.random.default_rng(0)
    x, y = generator.integers(4, size=(2, 25)).astype(float)
    slow = bootstrap_interval(x, y, samples=60, seed=3, metric=lambda a, b: kendall_tau(a, b))
    assert bootstrap_interval(x, y, samples=60, seed=3) == pytest.approx(slow, abs=1e-12)
    assert bootstrap_interval(x, np.zeros(25), samples=5) == (0.0, 0.0)


def test_paired_interval_averages_columns() -> None:
    generator = np.random.default_rng(0)
    truth, first, second = generator.normal(size=(3, 30))
    twice = [np.stack([vector, vector], axis=1) for vector in (truth, first, second)]
    assert paired_bootstrap_interval(*twice, samples=50) == paired_bootstrap_interval(truth, first, second, samples=50)


def test_agreement_is_the_mean_over_all_pairs() -> None:
    rising = np.arange(30.0)
    scores = np.stack([rising, rising, -rising], axis=1)
    assert mean_pairwise_tau(scores) == pytest.approx(-1 / 3)  # 1, -1 and -1
    low, high = mean_pairwise_tau_interval(scores, samples=50)
    assert (low, high) == pytest.approx((-1 / 3, -1 / 3))  # as every resample has it
    generator = np.random.default_rng(0)
    noise = generator.normal(size=(60, 2))
    low, high = mean_pairwise_tau_interval(noise, samples=200)
    assert low < mean_pairwise_tau(noise) < high
    assert (low, high) == bootstrap_interval(noise[:, 0], noise[:, 1], samples=200)


def test_wilson_as_in_the_formula() -> None:
    z, share, images = 1.959964, 0.8, 50
    middle = (share + z**2 / (2 * images)) / (1 + z**2 / images)
    half = z / (1 + z**2 / images) * (share * (1 - share) / images + z**2 / (4 * images**2)) ** 0.5
    assert wilson_interval(share, images) == pytest.approx((middle - half, middle + half), abs=1e-6)


@given(st.floats(0, 1), st.integers(1, 1000))
def test_wilson_stays_within_0_and_1_and_holds_the_share(accuracy: float, images: int) -> None:
    low, high = wilson_interval(accuracy, images)
    assert 0 <= low <= round(accuracy * images) / images + 1e-12
    assert round(accuracy * images) / images - 1e-12 <= high <= 1
