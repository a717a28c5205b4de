from __future__ import annotations

import numpy as np
import pytest

from archatlas.costs.table import costs_of
from archatlas.errors import ArchatlasError
from archatlas.spaces.chain import ChainSpace
from archatlas.spaces.nas_bench_101 import NasBench101
from archatlas.spaces.nas_bench_201 import NasBench201
from archatlas.spaces.protocol import CountedInBulk, Enumerable, HasTwins, PrefixShared, SearchSpace
from archatlas.spaces.restricted import Restricted, restricted

from .conftest import ALL_SPACES

SPACES = ["tiny", "narrow_201", "small_101"]


@pytest.mark.parametrize("name", SPACES)
def test_the_kept_networks_are_all_that_there_is(name: str) -> None:
    space = ALL_SPACES[name]
    kept = space.sample(12, np.random.default_rng(0))
    few = restricted(space, kept, 20)
    assert (few.networks, few.size) == (12, 20)
    assert (few.enumerate_networks(3, 7) == kept[3:7]).all()
    drawn = few.sample(12, np.random.default_rng(1))
    assert sorted(few.names(drawn)) == sorted(space.names(kept))
    with pytest.raises(ArchatlasError, match=f"12 networks of {space.name} are known, but 13 were asked for"):
        few.sample(13, np.random.default_rng(0))
    with pytest.raises(ArchatlasError, match="start <= stop <= 12"):
        few.enumerate_networks(0, 13)


@pytest.mark.parametrize("name", SPACES)
def test_it_has_the_capabilities_of_the_space_and_its_class(name: str) -> None:
    space = ALL_SPACES[name]
    few = restricted(space, space.sample(3, np.random.default_rng(0)), 3)
    assert isinstance(few, type(space))
    assert isinstance(few, Restricted)
    assert not isinstance(space, Restricted)
    for capability in (SearchSpace, Enumerable, HasTwins, PrefixShared, CountedInBulk):
        assert isinstance(few, capability) == isinstance(space, capability)
    rows = space.sample(5, np.random.default_rng(1))
    assert (few.names(rows) == space.names(rows)).all()
    assert (few.parse(few.names(rows)) == rows).all()
    assert (few.graphs(rows).features == space.graphs(rows).features).all()
    assert costs_of(few, rows).equals(costs_of(space, rows))


def test_the_space_itself_is_as_it_was() -> None:
    spaces = (ChainSpace, NasBench201, NasBench101)
    for name, kind in zip(SPACES, spaces, strict=True):
        space = ALL_SPACES[name]
        size, networks = space.size, space.networks
        restricted(space, space.sample(2, np.random.default_rng(0)), 2)
        assert type(space) is kind
        assert (space.size, space.networks) == (size, networks)
