from __future__ import annotations

import inspect
import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from archatlas.costs.table import costs_of
from archatlas.errors import ArchatlasError
from archatlas.spaces.identity import identity_of
from archatlas.spaces.protocol import (
    ChainFamily,
    Counted,
    CountedInBulk,
    Described,
    Documented,
    Enumerable,
    HasSkips,
    HasTwins,
    Linked,
    PrefixShared,
    SearchSpace,
    Segmented,
)
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


CAPABILITIES = [
    Counted, ChainFamily, CountedInBulk, Described, Documented, Enumerable, HasSkips, HasTwins, Linked,
    PrefixShared, SearchSpace, Segmented,
]  # fmt: skip


@pytest.mark.parametrize("name", ALL_SPACES)
def test_it_has_the_capabilities_of_the_space_and_is_listed(name: str) -> None:
    space = ALL_SPACES[name]
    kept = space.canonicalise(space.sample(3, np.random.default_rng(0)))
    few = restricted(space, kept, 3)
    assert isinstance(few, Restricted)
    assert not isinstance(space, Restricted)
    for capability in CAPABILITIES:
        own = capability in (Counted, Enumerable)
        assert isinstance(few, capability) == (own or isinstance(space, capability)), capability
        # From Python 3.12 on, `isinstance` looks without running anything.
        named = {one for one in dir(capability) if not one.startswith("_")}
        found = all(inspect.getattr_static(few, one, None) is not None for one in named)
        assert found == isinstance(few, capability)
    rows = space.sample(5, np.random.default_rng(1))
    assert (few.names(rows) == space.names(rows)).all()
    assert (few.parse(few.names(rows)) == rows).all()
    assert (few.graphs(rows).features == space.graphs(rows).features).all()
    assert identity_of(few) == identity_of(space)
    assert costs_of(few, rows).equals(costs_of(space, rows))


@pytest.mark.parametrize("name", SPACES)
def test_it_can_be_pickled_and_replaced(name: str) -> None:
    space = ALL_SPACES[name]
    few: Any = restricted(space, space.sample(3, np.random.default_rng(0)), 4)
    again = pickle.loads(pickle.dumps(few))
    assert type(again) is type(few)
    assert (again.kept == few.kept).all()
    assert (again.size, again.whole) == (4, space)
    fewer = replace(few, kept=few.kept[:2])
    assert (fewer.networks, fewer.size, few.networks) == (2, 4, 3)
    assert type(fewer) is type(few)


def test_another_whole_space_brings_its_own_capabilities() -> None:
    chain, cells = ALL_SPACES["tiny"], ALL_SPACES["small_101"]
    few: Any = restricted(chain, chain.sample(2, np.random.default_rng(0)), 2)
    other = replace(few, whole=cells, kept=cells.sample(2, np.random.default_rng(0)))
    assert isinstance(few, PrefixShared)
    assert not isinstance(other, PrefixShared)
    assert isinstance(other, CountedInBulk)
