from __future__ import annotations

import gc
from dataclasses import replace

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import nn

from archatlas.costs.counting import parts_of
from archatlas.costs.latency import (
    distinct_parts,
    fixed_threads,
    latency_tables,
    measure_network,
    measure_networks,
    measure_parts,
)
from archatlas.costs.latency_columns import CHECK_TYPES, LATENCY_TYPES
from archatlas.costs.measure_latency import device_name
from archatlas.costs.parameters import CostsParameters, LatencyParameters
from archatlas.costs.table import costs_of
from archatlas.errors import ArchatlasError
from archatlas.spaces.scaled_chains import ScaledChains


def test_every_part_has_a_latency_with_quartiles(tiny, counted, quick):
    table = measure_parts(tiny, quick)
    assert table.columns.tolist() == list(LATENCY_TYPES)
    assert table[["part", "position", "choice", "operation"]].equals(
        counted[["part", "position", "choice", "operation"]]
    )
    assert (table["latency_lower_quartile_ms"] <= table["latency_ms"]).all()
    assert (table["latency_ms"] <= table["latency_upper_quartile_ms"]).all()
    assert (table["latency_ms"] >= 0).all()
    assert table["latency_ms"].iloc[0] > 0, "the stem bears the call of the runtime"
    assert table["device"].unique().tolist() == [f"{device_name()}, onnxruntime"]
    said = table[["batch_size", "threads", "source"]].drop_duplicates()
    assert said.to_numpy().tolist() == [[1, 1, "measured"]]
    # Positions 0 and 1 hold blocks of one shape: measured once.
    first, second = (table.loc[table["position"] == position, "latency_ms"].tolist() for position in (0, 1))
    assert first == second


def test_parts_that_are_alike_are_measured_once(tiny):
    parts = parts_of(tiny)
    distinct, index = distinct_parts(parts)
    assert [(part.position, part.choice) for part in distinct] == [
        (-1, 0), (0, 0), (0, 1), (0, 2), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2), (4, 0),
    ]  # fmt: skip
    assert index == [0, 1, 2, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9]


def test_whole_networks_check_the_sum(tiny, quick):
    table, check = latency_tables(tiny, quick, seed=0)
    assert check.columns.tolist() == list(CHECK_TYPES)
    assert len(check) == 3
    assert (check["measured_latency_ms"] > 0).all()
    predicted = costs_of(tiny, tiny.parse(check["architecture"]), None, table)["predicted_latency_ms"]
    assert check["predicted_latency_ms"].tolist() == predicted.tolist()
    # A loose bound, since the machine may be busy: what it guards is the unit and the sum.
    ratio = (check["predicted_latency_ms"] / check["measured_latency_ms"]).median()
    assert 0.2 < ratio < 5


def test_of_a_family_the_parts_of_every_member_are_measured(tiny, quick):
    family = ScaledChains(replace(tiny, stem_width=16), (4, 8), (1.0,))
    table, check = latency_tables(family, quick, seed=0)
    assert table["member"].tolist() == [label for label, chain in family.members.items() for _ in parts_of(chain)]
    assert (table.groupby("member")["latency_ms"].sum() > 0).all()
    rows = family.parse(check["architecture"])
    predicted = costs_of(family, rows, None, table)["predicted_latency_ms"]
    assert check["predicted_latency_ms"].tolist() == predicted.tolist()
    for label, places, own in family.by_member(rows):
        of_member = table[table["member"] == label]
        alone = costs_of(family.members[label], own, None, of_member)["predicted_latency_ms"]
        assert alone.tolist() == predicted[places].tolist()


def test_a_longer_computation_takes_longer(quick):
    small, large = nn.Conv2d(3, 4, 3), nn.Sequential(*(nn.Conv2d(3, 3, 7, padding=3) for _ in range(20)))
    fast, slow = measure_networks([small, large], (3, 64, 64), quick)
    assert fast.upper_quartile_ms < slow.lower_quartile_ms
    assert not small.training


def test_nothing_of_the_process_is_changed(quick):
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    measure_network(nn.Conv2d(1, 1, 1), (1, 4, 4), quick.model_copy(update={"threads": 2}))
    assert torch.get_num_threads() == threads
    assert gc.isenabled()
    assert torch.is_inference_mode_enabled() is False
    layer = nn.Identity()
    torch.set_rng_state(state)
    measure_network(layer, (1, 4, 4), quick)
    assert torch.equal(torch.get_rng_state(), state)


def test_threads_are_set_back_after_a_failure():
    threads = torch.get_num_threads()

    def fail() -> None:
        with fixed_threads(threads + 1):
            assert torch.get_num_threads() == threads + 1
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        fail()
    assert torch.get_num_threads() == threads


def test_pytorch_is_measured_where_it_is_asked_for(tiny, quick):
    """Eager PyTorch spends most of a small network's time between its operators."""
    network = tiny.build(tiny.sample(1, np.random.default_rng(0))[0])
    eager = quick.model_copy(update={"runtime": "torch"})
    slow, fast = (measure_network(network, tiny.input_shape, one) for one in (eager, quick))
    assert slow.lower_quartile_ms > 2 * fast.upper_quartile_ms
    table = measure_parts(tiny, eager)
    assert table["device"].unique().tolist() == [f"{device_name()}, torch"]
    assert table["latency_ms"].sum() > 2 * measure_parts(tiny, quick)["latency_ms"].sum()


def test_the_check_is_of_networks_that_the_parts_were_not_fitted_to(tiny, quick):
    few = quick.model_copy(update={"check_networks": 5, "fit_networks": 0})
    many = quick.model_copy(update={"check_networks": 40, "fit_networks": 100})
    assert len(latency_tables(tiny, few, seed=0)[1]) == 5
    table, check = latency_tables(tiny, many, seed=0)
    assert len(check) == 40
    assert check["architecture"].is_unique
    assert (table["latency_ms"] >= 0).all()


def test_time_is_bounded(quick):
    slow = nn.Sequential(*(nn.Conv2d(8, 8, 7, padding=3) for _ in range(10)))
    hurried = quick.model_copy(update={"calls": 100_000, "max_seconds": 0.05})
    assert measure_network(slow, (8, 64, 64), hurried).median_ms > 0


def test_without_latency_tables_are_empty(tiny):
    table, check = latency_tables(tiny, LatencyParameters(source="none"), seed=0)
    assert table.empty
    assert check.empty
    assert {name: str(kind) for name, kind in table.dtypes.items()} == LATENCY_TYPES


def test_a_space_without_parts_cannot_be_measured(unshared, quick):
    with pytest.raises(ArchatlasError, match="not a chain of parts"):
        measure_parts(unshared, quick)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"source": "imported"}, "set `costs.latency.table`"),
        ({"table": "x.csv"}, "set it to `imported`"),
        ({"calls": 3}, "greater than or equal to 10"),
        ({"repeats": 3}, "Extra inputs"),
        ({"device": "gpu"}, "'cpu' or 'cuda'"),
    ],
)
def test_impossible_parameters_are_refused(values, message):
    with pytest.raises(ValidationError, match=message):
        CostsParameters.model_validate({"latency": values})


def test_the_machine_has_a_name():
    assert device_name().strip()


def test_the_check_is_reproducible(tiny, quick):
    names = [latency_tables(tiny, quick, seed=7)[1]["architecture"].tolist() for _ in range(2)]
    assert names[0] == names[1]
    assert np.unique(names[0]).size == 3
