from __future__ import annotations

import numpy as np
import pytest

from archatlas.costs.counting import distinct_parts, parts_of
from archatlas.costs.part_fit import fitted_factors, shares_of


@pytest.fixture
def alone(tiny):
    """Times of the parts, ms: quartiles around 1, 2, 3, ..., the same for parts that are alike."""
    _, index = distinct_parts(parts_of(tiny))
    return index, np.array([[0.5, 1.0, 2.0]]) * (np.array(index) + 1.0)[:, None]


def added(tiny, alone, rows):
    index, quartiles = alone
    return shares_of(quartiles, index, parts_of(tiny), rows)


def test_each_network_holds_its_parts(tiny, alone):
    # Stem, k3e1 and k5e3 of the first run, k3e1 of position 2, skip of position 3, head.
    shares = added(tiny, alone, tiny.parse(["k3e1-k5e3_k3e1-skip"]))
    assert shares.tolist() == [[1, 2, 0, 4, 5, 0, 0, 8, 0, 10]]
    # A part that stands twice counts twice.
    assert added(tiny, alone, tiny.parse(["k3e1-k3e1_k3e1-skip"]))[0, 1] == 4


def test_factors_that_differ_by_part_are_found(tiny, alone):
    rows = tiny.enumerate_networks(0, tiny.networks)
    shares = added(tiny, alone, rows)
    true = np.array([1.0, 0.5, 0.3, 0.8, 0.5, 0.8, 0.9, 0.2, 0.7, 1.0])
    factors = fitted_factors(shares[:32], shares[:32] @ true)
    assert np.abs(shares[32:] @ factors / (shares[32:] @ true) - 1).max() < 0.01


def test_noise_alone_leaves_the_common_factor(tiny, alone):
    rows = tiny.sample(32, np.random.default_rng(0))
    shares = added(tiny, alone, rows)
    noise = np.random.default_rng(3).lognormal(0, 0.1, 32)
    factors = fitted_factors(shares, shares.sum(axis=1) / 2 * noise)
    assert np.unique(factors).tolist() == [pytest.approx(0.5, rel=0.05)]


def test_few_networks_give_one_factor_and_none_gives_one(tiny, alone):
    rows = tiny.sample(5, np.random.default_rng(0))
    shares = added(tiny, alone, rows)
    assert fitted_factors(shares, 3 * shares.sum(axis=1)).tolist() == [3.0] * 10
    assert fitted_factors(shares[:0], np.empty(0)).tolist() == [1.0] * 10
