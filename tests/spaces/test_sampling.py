"""Samples are uniform over networks, not over architectures."""

from __future__ import annotations

import numpy as np
from scipy.stats import chi2

from archatlas.spaces.chain import ChainSpace
from archatlas.spaces.chain_parts import Operation, Stage
from archatlas.spaces.presets import preset


def _is_uniform(counts, expected):
    statistic = float(((counts - expected) ** 2 / expected).sum())
    return statistic < chi2.ppf(0.999, len(counts) - 1)


def test_every_network_is_equally_likely():
    space = ChainSpace(
        "tiny", (1, 8, 8), 3, 4, (Stage(4, 2, 1), Stage(6, 2, 2)),
        tuple(Operation.parse(name) for name in ("k3e1", "skip", "k5e3")),
    )  # fmt: skip
    generator = np.random.default_rng(0)
    drawn = space.names(np.concatenate([space.sample(1, generator) for _ in range(8400)]))
    _, counts = np.unique(drawn, return_counts=True)
    assert len(counts) == space.networks == 42
    assert _is_uniform(counts, 200.0)


def test_all_networks_of_a_small_space_can_be_drawn():
    space = preset("nas_bench_macro", (3, 32, 32), 10)
    drawn = space.sample(space.networks, np.random.default_rng(0))
    assert len(np.unique(drawn, axis=0)) == space.networks == 3969


def test_a_space_too_large_to_number_is_sampled_uniformly():
    space = preset("mobile", (3, 32, 32), 10)
    assert space.networks > 10_000_000
    drawn = space.sample(6000, np.random.default_rng(0))
    _, first = np.unique(drawn[:, 0], return_counts=True)
    assert _is_uniform(first, 1000.0)
    # Positions 1 to 3 hold k of 3 blocks out of 6 choices: 1, 6, 36, 216 networks.
    skip = space.num_choices[1] - 1
    counts = np.bincount((drawn[:, 1:4] != skip).sum(axis=1), minlength=4)
    assert _is_uniform(counts, 6000 * np.array([1, 6, 36, 216]) / 259)
