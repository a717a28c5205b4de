"""What every search space keeps to."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archatlas.costs.table import costs_of
from archatlas.errors import ArchatlasError
from archatlas.networks.counting import count_module
from archatlas.spaces.protocol import Enumerable, HasTwins, PrefixShared, SearchSpace

few = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def random_choices(space, count, seed):
    """Any architectures, canonical or not."""
    return (
        np.random.default_rng(seed).integers(0, space.num_choices, size=(count, len(space.num_choices))).astype(np.int8)
    )


def test_it_is_a_search_space_with_an_exact_size(space):
    assert isinstance(space, SearchSpace)
    assert isinstance(space.size, int)
    assert space.size == math.prod(space.num_choices)
    assert 0 < space.networks <= space.size


@few
@given(seed=st.integers(0, 2**32))
def test_names_and_parse_are_inverse(space, seed):
    choices = random_choices(space, 50, seed)
    names = space.names(choices)
    assert (space.parse(names) == choices).all()
    assert len(set(names.tolist())) == len(np.unique(choices, axis=0))


@few
@given(seed=st.integers(0, 2**32))
def test_canonicalise_is_idempotent_and_pure(space, seed):
    choices = random_choices(space, 50, seed)
    before = choices.copy()
    canonical = space.canonicalise(choices)
    assert (space.canonicalise(canonical) == canonical).all()
    assert (choices == before).all()
    assert canonical.dtype == np.int8


@few
@given(seed=st.integers(0, 2**32))
def test_twins_share_canonical_form_graphs_and_costs(space, seed):
    assert isinstance(space, HasTwins)
    row = random_choices(space, 1, seed)
    twins = space.twins(row[0])
    canonical = space.canonicalise(row)
    assert (space.canonicalise(twins) == canonical).all()
    assert len(np.unique(twins, axis=0)) == len(twins)
    assert (twins == row).all(axis=1).any()
    assert (twins == canonical).all(axis=1).any()
    graphs, one = space.graphs(twins), space.graphs(row)
    assert (graphs.features == one.features).all()
    assert (graphs.adjacency == one.adjacency).all()
    assert (graphs.mask == one.mask).all()


def test_twins_have_the_same_costs(small_space):
    row = random_choices(small_space, 1, 4)
    costs = costs_of(small_space, small_space.twins(row[0]))
    assert costs.nunique().tolist() == [1, 1]


def test_a_sample_is_distinct_canonical_and_reproducible(space):
    count = min(space.networks, 500)
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
    everything = np.array(list(product(*(range(count) for count in small_space.num_choices))), dtype=np.int8)
    canonical = np.unique(small_space.canonicalise(everything), axis=0)
    assert len(networks) == small_space.networks == len(canonical)
    assert (np.unique(networks, axis=0) == canonical).all()
    parts = [small_space.enumerate_networks(start, min(start + 10, len(networks))) for start in range(0, 40, 10)]
    assert (np.concatenate(parts) == networks[:40]).all()


def test_twins_partition_the_space(small_space):
    networks = small_space.enumerate_networks(0, small_space.networks)
    assert sum(len(small_space.twins(row)) for row in networks) == small_space.size


def test_enumeration_refuses_what_is_outside(small_space):
    with pytest.raises(ArchatlasError, match="start <= stop"):
        small_space.enumerate_networks(0, small_space.networks + 1)


def test_different_networks_have_different_graphs(small_space):
    graphs = small_space.graphs(small_space.enumerate_networks(0, small_space.networks))
    flat = np.concatenate([graphs.features.reshape(len(graphs), -1), graphs.mask.astype(np.float32)], axis=1)
    assert len(np.unique(flat, axis=0)) == small_space.networks


def test_graphs_are_well_formed(space):
    graphs = space.graphs(random_choices(space, 64, 0))
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
    assert (graphs.adjacency[:, :, 1:].any(axis=1) == graphs.mask[:, 1:]).all(), "every node but the input is fed"
    assert (graphs.adjacency[:, :-1].any(axis=2) == graphs.mask[:, :-1]).all(), "every node but the output feeds"


def test_costs_are_exactly_those_of_the_built_network(space):
    choices = np.concatenate([space.sample(2, np.random.default_rng(1)), random_choices(space, 1, 2)])
    costs = costs_of(space, choices)
    for row, (macs, params) in zip(choices, costs.to_numpy().tolist(), strict=True):
        counted = count_module(lambda row=row: space.build(row), space.input_shape)
        assert (macs, params) == (counted.macs, counted.params)


def test_a_built_network_gives_logits_and_blocks_have_the_stated_shapes(space):
    row = space.sample(1, np.random.default_rng(5))[0]
    network = space.build(row).eval()
    with torch.no_grad():
        images = torch.rand(2, *space.input_shape)
        assert network(images).shape == (2, space.num_classes)
        assert isinstance(space, PrefixShared)
        x = space.make_stem().eval()(images)
        for position, choice in enumerate(row):
            assert x.shape[1:] == space.block_input_shape(position)
            x = space.make_block(position, int(choice)).eval()(x)
        assert x.shape[1:] == space.block_input_shape(len(row))
        assert space.make_head().eval()(x).shape == (2, space.num_classes)


def test_what_is_no_choice_matrix_is_refused(space):
    good = random_choices(space, 2, 0)
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
    name = space.names(random_choices(space, 1, 0))[0]
    with pytest.raises(ArchatlasError, match="is not the name of an architecture"):
        space.parse(["9" + name[1:]])
