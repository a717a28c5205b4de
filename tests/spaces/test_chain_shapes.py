"""Chains of any shape: images of one pixel, of two, odd and narrow ones, and from one position to sixty."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from archatlas.costs.ranges import least_and_most
from archatlas.costs.table import costs_of
from archatlas.networks.counting import count_module
from archatlas.spaces.chain import ChainSpace
from archatlas.spaces.chain_parts import Operation, Stage

from .conftest import every_row, random_rows

SIDES = st.sampled_from([1, 2, 3, 5, 8, 31])
BLOCKS = ["k1e1", "k3e1", "k3e3", "k5e1", "k7e2"]


@st.composite
def chains(draw: st.DrawFn, deepest: int = 20) -> ChainSpace:
    """One to three stages, each of 1 to ``deepest`` positions."""
    stages = st.builds(Stage, st.integers(1, 6), st.integers(1, deepest), st.sampled_from([1, 2]))
    blocks = draw(st.lists(st.sampled_from(BLOCKS), unique=True, min_size=1))
    operations = draw(st.permutations(blocks + draw(st.sampled_from([[], ["skip"]]))))
    return ChainSpace(
        name="any",
        input_shape=(draw(st.sampled_from([1, 3])), draw(SIDES), draw(SIDES)),
        num_classes=draw(st.sampled_from([2, 7])),
        stem_width=draw(st.integers(1, 6)),
        stages=tuple(draw(st.lists(stages, min_size=1, max_size=3))),
        operations=tuple(Operation.parse(name) for name in operations),
        stem_stride=draw(st.sampled_from([1, 2])),
        stem_block_width=draw(st.sampled_from([0, 3])),
        head_width=draw(st.sampled_from([0, 5])),
        skip=draw(st.sampled_from(["where_shape_allows", "project"])),
        squeeze_excitation=draw(st.booleans()),
    )


@settings(max_examples=25)
@given(space=chains(), seed=st.integers(0, 2**32))
def test_samples_and_spellings_are_of_the_space_whatever_its_depth(space: ChainSpace, seed: int) -> None:
    count = min(space.networks, 20)
    drawn = space.sample(count, np.random.default_rng(seed))
    assert len(np.unique(drawn, axis=0)) == count
    assert (space.canonicalise(drawn) == drawn).all()
    assert (space.parse(space.names(drawn)) == drawn).all()
    twins = space.draw_twins(drawn[0], 20, np.random.default_rng(seed))
    assert len(np.unique(twins, axis=0)) == len(twins) <= 20
    assert (space.canonicalise(twins) == drawn[0]).all()


@settings(max_examples=25)
@given(space=chains(deepest=2))
def test_counts_are_those_of_a_listing(space: ChainSpace) -> None:
    if space.size <= 5_000:
        canonical = np.unique(space.canonicalise(every_row(space)), axis=0)
        assert len(canonical) == space.networks
        assert (np.unique(space.enumerate_networks(0, space.networks), axis=0) == canonical).all()


@settings(max_examples=25)
@given(space=chains(deepest=6), seed=st.integers(0, 2**32))
def test_costs_are_those_of_the_network_and_lie_between_the_extremes(space: ChainSpace, seed: int) -> None:
    row = random_rows(space, 1, seed)
    costs: dict[str, Any] = costs_of(space, row).iloc[0].to_dict()
    extremes = least_and_most(space).set_index("cost")
    counted = count_module(lambda: space.build(row[0]), space.input_shape)
    assert (costs["macs"], costs["params"]) == (counted.macs, counted.params)
    for name, value in costs.items():
        assert extremes.loc[name, "least"] <= value <= extremes.loc[name, "most"]


@settings(max_examples=25)
@given(space=chains(deepest=6), seed=st.integers(0, 2**32))
def test_networks_answer_with_finite_numbers(space: ChainSpace, seed: int) -> None:
    images = torch.randn(3, *space.input_shape, generator=torch.Generator().manual_seed(seed))
    network = space.build(random_rows(space, 1, seed)[0])
    trained = network(images)
    trained.square().mean().backward()
    assert trained.shape == (3, space.num_classes)
    assert all(parameter.grad is None or parameter.grad.isfinite().all() for parameter in network.parameters())
    assert network.eval()(images).isfinite().all()
