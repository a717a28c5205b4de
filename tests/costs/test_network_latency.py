from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from archatlas.costs.latency import latency_tables
from archatlas.costs.latency_columns import NETWORK_LATENCY_TYPES
from archatlas.costs.network_latency import is_of_networks, network_latency_table
from archatlas.costs.parameters import LatencyParameters
from archatlas.costs.ranges import least_and_most
from archatlas.costs.table import costs_of
from archatlas.errors import ArchatlasError
from archatlas.spaces.restricted import restricted


@pytest.fixture
def measured(tiny):
    """Latency of the first three networks, the third unknown."""
    names = tiny.names(tiny.enumerate_networks(0, 3))
    return network_latency_table(pd.Series([3.0, 1.5, np.nan], index=names), "a phone")


def test_a_table_of_networks_says_where_it_is_from(measured, timed):
    assert measured.columns.tolist() == list(NETWORK_LATENCY_TYPES)
    assert measured[["device", "source"]].drop_duplicates().to_numpy().tolist() == [["a phone", "table"]]
    assert is_of_networks(measured)
    assert not is_of_networks(timed)


def test_each_network_has_its_own_latency_and_twins_share_it(tiny, measured, counted):
    rows = tiny.enumerate_networks(0, 4)
    costs = costs_of(tiny, rows, counted, measured)
    assert costs["predicted_latency_ms"].iloc[:2].tolist() == [3.0, 1.5]
    assert costs["predicted_latency_ms"].iloc[2:].isna().all()
    assert costs[["macs", "params"]].equals(costs_of(tiny, rows, counted))
    twins = tiny.twins(rows[1])
    assert set(costs_of(tiny, twins, counted, measured)["predicted_latency_ms"]) == {1.5}


def test_spaces_without_parts_have_latency_too(unshared, tiny, measured):
    costs = costs_of(unshared, tiny.enumerate_networks(0, 2), None, measured)
    assert costs["predicted_latency_ms"].tolist() == [3.0, 1.5]


def test_the_least_and_the_largest_are_those_of_known_networks(tiny, measured, counted):
    few = restricted(tiny, tiny.enumerate_networks(0, 3), 3)
    ranges = least_and_most(few, counted, measured).set_index("cost")
    costs = costs_of(tiny, tiny.enumerate_networks(0, 3), counted)
    assert ranges.loc["latency_ms", ["least", "most"]].tolist() == [1.5, 3.0]
    assert ranges.loc["macs", ["least", "most"]].tolist() == [costs["macs"].min(), costs["macs"].max()]
    assert ranges.index.tolist() == ["macs", "params", "latency_ms"]


def test_a_column_is_named_where_and_only_where_a_public_table_has_the_latency(tiny):
    assert LatencyParameters(source="table", column="help_pixel3").column == "help_pixel3"
    with pytest.raises(ValidationError, match=r"set `costs\.latency\.column`"):
        LatencyParameters(source="table")
    with pytest.raises(ValidationError, match=r"`costs\.latency\.source` is `measured`: set it to `table`"):
        LatencyParameters(column="help_pixel3")
    with pytest.raises(ArchatlasError, match="no public table is named"):
        latency_tables(tiny, LatencyParameters(source="table", column="help_pixel3"), 0)
