from __future__ import annotations

import pytest

from archatlas.errors import ArchatlasError
from archatlas.networks.counting import count_module
from archatlas.spaces.chain import ChainSpace
from archatlas.supernet.parameters import SampleParameters
from archatlas.supernet.sample import sample_architectures


def test_networks_are_distinct_canonical_and_costed(space: ChainSpace) -> None:
    table = sample_architectures(space, SampleParameters(architectures=12), seed=0)
    assert list(table.columns) == ["network", "architecture", "macs", "params"]
    assert table["network"].is_unique
    rows = space.parse(table["architecture"].to_numpy(dtype=str))
    assert space.names(space.canonicalise(rows)).tolist() == table["network"].tolist()
    cost = count_module(lambda: space.build(rows[5]), space.input_shape)
    assert (table["macs"][5], table["params"][5]) == (cost.macs, cost.params)
    assert table.equals(sample_architectures(space, SampleParameters(architectures=12), seed=0))
    assert not table.equals(sample_architectures(space, SampleParameters(architectures=12), seed=1))


def test_twins_are_distinct_spellings_of_one_network(space: ChainSpace) -> None:
    everything = SampleParameters(architectures=space.networks, twins_per_network=100)
    table = sample_architectures(space, everything, seed=0)
    assert len(table) == space.size
    assert table["architecture"].is_unique
    assert table["network"].nunique() == space.networks
    two = sample_architectures(space, SampleParameters(architectures=space.networks, twins_per_network=2), seed=0)
    assert two.groupby("network").size().max() == 2


def test_more_networks_than_there_are(space: ChainSpace) -> None:
    with pytest.raises(ArchatlasError, match=f"tiny has {space.networks} networks"):
        sample_architectures(space, SampleParameters(architectures=1000), seed=0)
