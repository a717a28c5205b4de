from __future__ import annotations

from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from archatlas.errors import ArchatlasError
from archatlas.spaces.chain import ChainSpace
from archatlas.spaces.chain_parts import Operation, Stage
from archatlas.spaces.presets import preset
from archatlas.supernet.parameters import SupernetParameters
from archatlas.supernet.strategies.fair import FairPaths
from archatlas.supernet.strategies.make import make_strategy
from archatlas.supernet.strategies.registry import STRATEGIES
from archatlas.supernet.strategies.sandwich import SandwichPaths
from archatlas.supernet.strategies.uniform import UniformPaths
from archatlas.supernet.strategies.weights import ChoiceWeights, choice_weights

counts = st.lists(st.integers(1, 7), min_size=1, max_size=6).map(tuple)
weighted = st.lists(st.lists(st.floats(0.05, 1), min_size=1, max_size=7).map(tuple), min_size=1, max_size=6).map(tuple)


def equal(num_choices: tuple[int, ...]) -> ChoiceWeights:
    return tuple((1.0,) * count for count in num_choices)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(weighted, st.integers(0, 2**31))
@settings(max_examples=50)
def test_every_strategy_gives_paths_of_the_space(weights: ChoiceWeights, seed: int) -> None:
    sandwich = SandwichPaths(weights, tuple(len(row) - 1 for row in weights), tuple(0 for _ in weights))
    for strategy in (UniformPaths(weights), FairPaths(weights), sandwich):
        paths = strategy(0, generator(seed))
        assert paths == strategy(0, generator(seed))
        for path in paths:
            assert len(path) == len(weights)
            assert all(0 <= choice < len(row) for choice, row in zip(path, weights, strict=True))


@given(counts, st.integers(0, 2**31))
@settings(max_examples=50)
def test_fair_paths_go_through_all_choices_equally_often(num_choices: tuple[int, ...], seed: int) -> None:
    paths = FairPaths(equal(num_choices))(0, generator(seed))
    assert len(paths) == max(num_choices)
    for column, count in zip(zip(*paths, strict=True), num_choices, strict=True):
        times = Counter(column)
        assert set(times) == set(range(count))
        assert max(times.values()) - min(times.values()) <= 1


@given(weighted, st.integers(0, 2**31))
@settings(max_examples=50)
def test_fair_paths_round_the_share_of_each_weight(weights: ChoiceWeights, seed: int) -> None:
    paths = FairPaths(weights)(0, generator(seed))
    for column, row in zip(zip(*paths, strict=True), weights, strict=True):
        times = Counter(column)
        for choice, weight in enumerate(row):
            assert abs(times[choice] - len(paths) * weight / sum(row)) < 1 + 1e-9


@pytest.mark.parametrize("weights", [(1.0, 1.0, 1.0), (1.0, 1.0, 0.5), (0.1, 1.0)])
def test_fair_paths_follow_the_weights_on_average(weights: tuple[float, ...]) -> None:
    strategy, draws = FairPaths(((1.0,) * 4, weights)), generator(0)
    times = Counter(choice for _ in range(3000) for _, choice in strategy(0, draws))
    for choice, weight in enumerate(weights):
        assert abs(times[choice] / 12_000 - weight / sum(weights)) < 0.01


def test_uniform_paths_are_uniform() -> None:
    strategy, draws = UniformPaths(equal((2, 3))), generator(0)
    times = Counter(strategy(0, draws)[0] for _ in range(6000))
    assert len(times) == 6
    assert all(abs(count / 6000 - 1 / 6) < 0.02 for count in times.values())


def test_sandwich_is_largest_smallest_and_random_by_macs() -> None:
    space = preset("nas_bench_macro", (3, 32, 32), 10)
    strategy = make_strategy(space, SupernetParameters(strategy="sandwich"))
    largest, smallest, random = strategy(0, generator(0))
    assert largest == (2,) * 8
    assert smallest == (0,) * 8
    assert len(random) == 8


def test_sandwich_needs_a_chain() -> None:
    with pytest.raises(ArchatlasError, match=r"nas_bench_201 is no chain: take uniform or fair"):
        make_strategy(preset("nas_bench_201", (3, 32, 32), 10), SupernetParameters(strategy="sandwich"))


def test_skips_are_drawn_by_their_weight(space: ChainSpace) -> None:
    assert space.skips == (2, 2, None, 2)
    strategy = make_strategy(space, SupernetParameters(strategy="uniform", skip_weight=0.25))
    assert strategy == UniformPaths(((1, 1, 0.25), (1, 1, 0.25), (1, 1), (1, 1, 0.25)))
    draws = generator(0)
    times = [Counter(column) for column in zip(*(strategy(0, draws)[0] for _ in range(4000)), strict=True)]
    for counted, skip in zip(times, space.skips, strict=True):
        for choice, count in counted.items():
            expected = 0.5 if skip is None else (0.25 if choice == skip else 1) / 2.25
            assert abs(count / 4000 - expected) < 0.03


def test_fewer_skips_need_a_space_that_has_them() -> None:
    cells = preset("nas_bench_201", (3, 32, 32), 10)
    with pytest.raises(ArchatlasError, match=r"`supernet.skip_weight` is 0.5, but nas_bench_201 has no skips"):
        make_strategy(cells, SupernetParameters(skip_weight=0.5))
    assert choice_weights(cells, 1.0) == ((1.0,) * 5,) * 6
    blocks = ChainSpace(
        "blocks", (1, 8, 8), 3, 4, (Stage(6, 2, 1),), (Operation.parse("k3e1"), Operation.parse("k5e1"))
    )
    with pytest.raises(ArchatlasError, match=r"but blocks has no skips"):
        make_strategy(blocks, SupernetParameters(skip_weight=0.5))


def test_each_name_has_a_strategy(space: ChainSpace) -> None:
    assert set(STRATEGIES) == {"uniform", "fair", "sandwich", "sampled"}
    assert make_strategy(space, SupernetParameters(strategy="fair")) == FairPaths(equal((3, 3, 2, 3)))
