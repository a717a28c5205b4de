from __future__ import annotations

from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from archatlas.errors import ArchatlasError
from archatlas.spaces.chain import ChainSpace
from archatlas.spaces.presets import preset
from archatlas.supernet.strategies.fair import FairPaths
from archatlas.supernet.strategies.registry import STRATEGIES, make_strategy
from archatlas.supernet.strategies.sandwich import SandwichPaths
from archatlas.supernet.strategies.uniform import UniformPaths

counts = st.lists(st.integers(1, 7), min_size=1, max_size=6).map(tuple)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(counts, st.integers(0, 2**31))
@settings(max_examples=50, deadline=None)
def test_every_strategy_gives_paths_of_the_space(num_choices: tuple[int, ...], seed: int) -> None:
    sandwich = SandwichPaths(num_choices, tuple(n - 1 for n in num_choices), tuple(0 for _ in num_choices))
    for strategy in (UniformPaths(num_choices), FairPaths(num_choices), sandwich):
        paths = strategy(0, generator(seed))
        assert paths == strategy(0, generator(seed))
        for path in paths:
            assert len(path) == len(num_choices)
            assert all(0 <= choice < count for choice, count in zip(path, num_choices, strict=True))


@given(counts, st.integers(0, 2**31))
@settings(max_examples=50, deadline=None)
def test_fair_paths_go_through_all_choices_equally_often(num_choices: tuple[int, ...], seed: int) -> None:
    paths = FairPaths(num_choices)(0, generator(seed))
    assert len(paths) == max(num_choices)
    for column, count in zip(zip(*paths, strict=True), num_choices, strict=True):
        times = Counter(column)
        assert set(times) == set(range(count))
        assert max(times.values()) - min(times.values()) <= 1


def test_fair_paths_with_fewer_choices_are_even_on_average() -> None:
    strategy, draws = FairPaths((4, 3)), generator(0)
    times = Counter(choice for _ in range(3000) for _, choice in strategy(0, draws))
    assert all(abs(times[choice] / 12_000 - 1 / 3) < 0.01 for choice in range(3))


def test_uniform_paths_are_uniform() -> None:
    strategy, draws = UniformPaths((2, 3)), generator(0)
    times = Counter(strategy(0, draws)[0] for _ in range(6000))
    assert len(times) == 6
    assert all(abs(count / 6000 - 1 / 6) < 0.02 for count in times.values())


def test_sandwich_is_largest_smallest_and_random_by_macs() -> None:
    space = preset("nas_bench_macro", (3, 32, 32), 10)
    strategy = make_strategy("sandwich", space)
    largest, smallest, random = strategy(0, generator(0))
    assert largest == (2,) * 8
    assert smallest == (0,) * 8
    assert len(random) == 8


def test_sandwich_needs_a_chain() -> None:
    with pytest.raises(ArchatlasError, match=r"nas_bench_201 is no chain: take uniform or fair"):
        make_strategy("sandwich", preset("nas_bench_201", (3, 32, 32), 10))


def test_names(space: ChainSpace) -> None:
    assert sorted(STRATEGIES) == ["fair", "sandwich", "uniform"]
    assert make_strategy("fair", space) == FairPaths((3, 3, 2, 3))
    with pytest.raises(ArchatlasError, match=r"no training strategy 'sandwitch'; did you mean `sandwich`\?"):
        make_strategy("sandwitch", space)
