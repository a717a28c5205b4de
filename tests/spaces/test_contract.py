"""What every search space keeps to."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archatlas.costs.table import costs_of
from archatlas.errors import ArchatlasError
from archatlas.networks.counting import count_module
from archatlas.networks.feature_maps import GivesFeatures, feature_shapes
from archatlas.spaces.protocol import (
    Counted,
    CountedInBulk,
    Enumerable,
    HasTwins,
    PrefixShared,
    SearchSpace,
    chains_of,
    drawable,
    networks_of,
)

from .conftest import ALL_SPACES, every_row, random_rows

few = settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])


def test_it_is_a_search_space_and_a_size_is_exact(space):
    assert isinstance(space, SearchSpace)
    assert space.sampler
    if isinstance(space, Counted):
        assert isinstance(space.size, int)
        assert isinstance(space.networks, int)
        assert 0 < space.networks <= space.size <= math.prod(space.num_choices)
    else:
        assert networks_of(space) is None
        assert drawable(space, 10**9) == 10**9


@few
@given(seed=st.integers(0, 2**32))
def test_what_varies_stays_in_the_space(space, seed):
    generator = np.random.default_rng(seed)
    first, second = random_rows(space, 20, seed), random_rows(space, 20, seed + 1)
    before = first.copy()
    children = [
        space.mutate(first, generator),
        space.mutate(first, generator, 1.0),
        *space.crossover(first, second, generator),
    ]
    for rows in children:
        assert rows.dtype == np.int8
        assert (space.validate(rows) == rows).all()
    assert (first == before).all()
    assert ((children[1] != first) | (np.array(space.num_choices) == 1)).any()
    one, other = children[2:]
    kept = (one == first) & (other == second) | (one == second) & (other == first)
    assert kept.mean() > 0.5


def test_the_size_counts_every_architecture(small_space):
    assert len(every_row(small_space)) == small_space.size


@few
@given(seed=st.integers(0, 2**32))
def test_names_and_parse_are_inverse(space, seed):
    choices = random_rows(space, 50, seed)
    names = space.names(choices)
    assert (space.parse(names) == choices).all()
    assert len(set(names.tolist())) == len(np.unique(choices, axis=0))


@few
@given(seed=st.integers(0, 2**32))
def test_canonicalise_is_idempotent_and_pure(space, seed):
    choices = random_rows(space, 50, seed)
    before = choices.copy()
    canonical = space.canonicalise(choices)
    assert (space.canonicalise(canonical) == canonical).all()
    assert (choices == before).all()
    assert canonical.dtype == np.int8


@few
@given(seed=st.integers(0, 2**32))
def test_twins_share_canonical_form_graphs_and_costs(space, seed):
    row = random_rows(space, 1, seed)
    canonical = space.canonicalise(row)
    twins = space.twins(row[0]) if isinstance(space, HasTwins) else np.concatenate([canonical, row])
    assert (space.canonicalise(twins) == canonical).all()
    assert (twins == row).all(axis=1).any()
    assert (twins == canonical).all(axis=1).any()
    if isinstance(space, HasTwins):
        assert len(np.unique(twins, axis=0)) == len(twins)
    graphs, one = space.graphs(twins), space.graphs(space.canonicalise(row), canonical=True)
    assert (graphs.features == one.features).all()
    assert (graphs.adjacency == one.adjacency).all()
    assert (graphs.mask == one.mask).all()


@pytest.mark.parametrize("name", ["tiny", "nas_bench_macro", "narrow_201"])
def test_twins_have_the_same_costs(name):
    space = ALL_SPACES[name]
    costs = costs_of(space, space.twins(random_rows(space, 1, 4)[0])[:8])
    assert costs.nunique().tolist() == [1, 1]


def test_a_sample_is_distinct_canonical_and_reproducible(space):
    count = drawable(space, 500)
    choices = space.sample(count, np.random.default_rng(3))
    assert choices.shape == (count, len(space.num_choices))
    assert choices.dtype == np.int8
    assert len(np.unique(choices, axis=0)) == count
    assert (space.canonicalise(choices) == choices).all()
    assert (space.validate(choices) == choices).all()
    assert (space.sample(count, np.random.default_rng(3)) == choices).all()


def test_a_sample_larger_than_the_space_is_refused(small_space):
    with pytest.raises(ArchatlasError, match=r"networks, but .* were asked for"):
        small_space.sample(small_space.networks + 1, np.random.default_rng(0))


def test_enumeration_covers_every_network_once(small_space):
    assert isinstance(small_space, Enumerable)
    networks = small_space.enumerate_networks(0, small_space.networks)
    canonical = np.unique(small_space.canonicalise(every_row(small_space)), axis=0)
    assert len(networks) == small_space.networks == len(canonical)
    assert (np.unique(networks, axis=0) == canonical).all()
    parts = [small_space.enumerate_networks(start, min(start + 10, len(networks))) for start in range(0, 40, 10)]
    assert (np.concatenate(parts) == networks[:40]).all()


def test_twins_partition_the_space(small_space):
    if isinstance(small_space, HasTwins):
        networks = small_space.enumerate_networks(0, small_space.networks)
        assert sum(len(small_space.twins(row)) for row in networks) == small_space.size


def test_enumeration_refuses_what_is_outside(small_space):
    with pytest.raises(ArchatlasError, match="start <= stop"):
        small_space.enumerate_networks(0, small_space.networks + 1)


def test_different_networks_have_different_graphs(small_space):
    graphs = small_space.graphs(small_space.enumerate_networks(0, small_space.networks))
    parts = [graphs.features, graphs.mask.astype(np.float32), graphs.adjacency.astype(np.float32)]
    flat = np.concatenate([part.reshape(len(graphs), -1) for part in parts], axis=1)
    assert len(np.unique(flat, axis=0)) == small_space.networks


def test_graphs_are_well_formed(space):
    graphs = space.graphs(random_rows(space, 64, 0))
    nodes = graphs.mask.shape[1]
    assert graphs.features.shape == (64, nodes, len(space.graph_features))
    assert graphs.features.dtype == np.float32
    assert len(set(space.graph_features)) == len(space.graph_features)
    assert np.abs(graphs.features).max() <= 2
    assert graphs.mask[:, 0].all()
    assert graphs.mask[:, -1].all()
    assert not graphs.features[~graphs.mask].any()
    assert not graphs.adjacency[:, *np.tril_indices(nodes)].any(), "data flow forwards only"
    on_both_sides = graphs.mask[:, :, None] & graphs.mask[:, None, :]
    assert not (graphs.adjacency & ~on_both_sides).any()
    joined = graphs.adjacency.any(axis=(1, 2))
    assert (graphs.mask[~joined].sum(axis=1) == 2).all(), "an output that is cut off stands alone with the input"
    graphs = graphs[joined]
    assert (graphs.adjacency[:, :, 1:].any(axis=1) == graphs.mask[:, 1:]).all(), "every node but the input is fed"
    assert (graphs.adjacency[:, :-1].any(axis=2) == graphs.mask[:, :-1]).all(), "every node but the output feeds"


def test_costs_are_exactly_those_of_the_built_network(space):
    choices = np.concatenate([space.sample(2, np.random.default_rng(1)), random_rows(space, 1, 2)])
    costs = costs_of(space, choices)
    bulk = space.counted_costs(choices) if isinstance(space, CountedInBulk) else {}
    for index, (row, (macs, params)) in enumerate(zip(choices, costs.to_numpy().tolist(), strict=True)):
        counted = count_module(lambda row=row: space.build(row), space.input_shape)
        assert (macs, params) == (counted.macs, counted.params)
        if bulk:
            assert (bulk["macs"][index], bulk["params"][index]) == (counted.macs, counted.params)
    assert not (chains_of(space) and bulk), "costs are counted in bulk by one way alone"
    assert all(figures.dtype == np.int64 and figures.shape == (len(choices),) for figures in bulk.values())


def test_a_built_network_gives_logits_and_blocks_have_the_stated_shapes(space):
    row = space.sample(1, np.random.default_rng(5))[0]
    network = space.build(row).eval()
    with torch.no_grad():
        images = torch.rand(2, *space.input_shape)
        assert network(images).shape == (2, space.num_classes)
        if not isinstance(space, PrefixShared):
            return
        x = space.make_stem().eval()(images)
        for position, choice in enumerate(row):
            assert x.shape[1:] == space.block_input_shape(position)
            x = space.make_block(position, int(choice)).eval()(x)
        assert x.shape[1:] == space.block_input_shape(len(row))
        assert space.make_head().eval()(x).shape == (2, space.num_classes)


def test_networks_give_as_many_maps_for_small_images_as_for_large_ones(space):
    network = space.build(space.sample(1, np.random.default_rng(5))[0]).eval()
    if not isinstance(network, GivesFeatures):
        return
    shapes = feature_shapes(network, space.input_shape[0])
    strides = [shape.stride for shape in shapes]
    assert strides == sorted(set(strides)), "each block that shrinks maps begins a stride, and no other does"
    with torch.no_grad():
        images = torch.rand(2, *space.input_shape)
        maps = network.features(images)
        torch.testing.assert_close(network.head(maps[-1]), network(images))
    assert [one.shape[1:] for one in maps] == [
        (channels, *(-(-side // stride) for side in images.shape[2:])) for channels, stride in shapes
    ]


def test_what_is_no_choice_matrix_is_refused(space):
    good = random_rows(space, 2, 0)
    wrong = good.copy()
    wrong[1, 2] = space.num_choices[2]
    with pytest.raises(ArchatlasError, match=r"row 1: position 2 .* has choices 0 to \d+, but got"):
        space.validate(wrong)
    with pytest.raises(ArchatlasError, match="must have shape"):
        space.validate(good[:, :-1])


@pytest.mark.parametrize("name", ["", "skip", "nonsense" * 30])
def test_what_is_no_name_is_refused(space, name):
    with pytest.raises(ArchatlasError, match="names look like"):
        space.parse([name])


def test_a_name_with_one_wrong_token_is_refused(space):
    name = space.names(random_rows(space, 1, 0))[0]
    with pytest.raises(ArchatlasError, match="is not the name of an architecture"):
        space.parse(["9" + name[1:]])
