from __future__ import annotations

import numpy as np
import pytest

from archatlas.costs.counting import count_parts, parts_of
from archatlas.costs.ranges import least_and_most
from archatlas.costs.table import costs_of
from archatlas.errors import ArchatlasError
from archatlas.spaces.protocol import PrefixShared

from ..newcomers.newcomer_space import FreeDag


def everything(space):
    return space.enumerate_networks(0, space.networks)


def test_every_part_is_counted_once(tiny, counted):
    assert counted.columns.tolist() == ["part", "position", "choice", "operation", "macs", "params"]
    assert counted["part"].tolist() == ["stem", *["block"] * 11, "head"]
    assert counted["position"].tolist() == [-1, 0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 3, 4]
    assert counted["operation"].tolist()[7:9] == ["k3e1", "k5e3"], "no skip where the shape changes"
    assert [part.operation for part in parts_of(tiny)] == counted["operation"].tolist()
    assert (counted.loc[counted["operation"] == "skip", ["macs", "params"]] == 0).all(axis=None)


def test_a_space_without_parts_has_an_empty_table_and_the_same_costs(tiny, unshared, counted):
    assert not isinstance(unshared, PrefixShared)
    empty = count_parts(unshared)
    assert empty.empty
    assert empty.dtypes.equals(counted.dtypes)
    choices = tiny.sample(4, np.random.default_rng(0))
    costs = costs_of(unshared, choices, empty)
    assert costs.equals(costs_of(tiny, choices, counted))
    assert [str(kind) for kind in costs.dtypes] == ["int64", "int64"]


def test_latency_is_the_sum_of_the_parts(tiny, counted, timed):
    choices = tiny.parse(["k3e1-skip_k5e3-skip"])
    costs = costs_of(tiny, choices, counted, timed)
    # Rows 0 (stem), 1, 5, 8, 10 and 12 (head) of the table, each a quarter of its number plus one.
    assert costs["predicted_latency_ms"].tolist() == [0.25 * (1 + 2 + 6 + 9 + 11 + 13)]
    assert "predicted_latency_ms" not in costs_of(tiny, choices, counted, timed.iloc[:0])


def test_a_damaged_table_is_refused(tiny, counted, timed):
    choices = tiny.sample(2, np.random.default_rng(0))
    with pytest.raises(ArchatlasError, match="lacks block 3, choice 1 of tiny"):
        costs_of(tiny, choices, counted[counted.index != 10])
    with pytest.raises(ArchatlasError, match=r"table of latency_ms lacks head 4, choice 0"):
        costs_of(tiny, choices, counted, timed.iloc[:-1])


def test_latency_of_a_space_without_parts_is_refused(unshared, timed):
    with pytest.raises(ArchatlasError, match=r"set `costs.latency.source` to `none`"):
        costs_of(unshared, everything(unshared)[:1], None, timed)


def test_the_extremes_are_those_of_the_enumerated_space(tiny, counted, timed):
    costs = costs_of(tiny, everything(tiny), counted, timed)
    ranges = least_and_most(tiny, counted, timed).set_index("cost")
    assert ranges.index.tolist() == ["macs", "params", "latency_ms"]
    for cost, column in (("macs", "macs"), ("params", "params"), ("latency_ms", "predicted_latency_ms")):
        assert ranges.loc[cost, "least"] == costs[column].min()
        assert ranges.loc[cost, "most"] == costs[column].max()


def test_the_extremes_of_a_space_without_parts_are_counted(tiny, unshared):
    exact = least_and_most(unshared)
    assert exact.equals(least_and_most(tiny))
    assert exact["exact"].all()


def test_the_extremes_of_a_space_that_cannot_be_listed_are_those_of_a_sample():
    space = FreeDag("free_dag", (1, 8, 8), 3)
    about = least_and_most(space).set_index("cost")
    assert not about["exact"].any()
    drawn = costs_of(space, space.sample(400, np.random.default_rng(0)))
    assert about["least"].tolist() == drawn.min().tolist()
    assert about["most"].tolist() == drawn.max().tolist()


def test_each_of_300_000_rows_has_the_costs_of_its_network(tiny, unshared, counted, timed):
    networks = everything(tiny)
    built = costs_of(unshared, networks)
    latency = costs_of(tiny, networks, counted, timed)["predicted_latency_ms"]
    which = np.random.default_rng(0).integers(len(networks), size=300_000)
    costs = costs_of(tiny, networks[which], counted, timed)
    expected = built.assign(predicted_latency_ms=latency).iloc[which].reset_index(drop=True)
    assert costs.shape == (300_000, 3)
    assert costs.equals(expected)
