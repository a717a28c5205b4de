from __future__ import annotations

import pandas as pd
import pytest
from pydantic import ValidationError

from archatlas.costs.constraints import Constraint
from archatlas.errors import ArchatlasError
from archatlas.search.budgets import (
    constraints_of,
    feasibility,
    require_feasible,
    require_jointly_feasible,
    resolve_budgets,
)
from archatlas.search.parameters import Budget, SearchParameters

RANGES = pd.DataFrame({"cost": ["macs", "params"], "least": [100.0, 10.0], "most": [1100.0, 30.0], "exact": True})
WITH_LATENCY = pd.concat([RANGES, pd.DataFrame({"cost": ["latency_ms"], "least": [0.5], "most": [2.5], "exact": True})])


def budget(**bounds: object) -> Budget:
    return Budget.model_validate(bounds)


def test_a_percentage_is_that_part_of_the_way_from_least_to_most() -> None:
    resolved = resolve_budgets({"small": budget(max_macs="30%", min_params="50%")}, RANGES)
    assert [(one.budget, one.cost, one.bound, one.asked, one.limit) for one in resolved] == [
        ("small", "macs", "max", "30%", 400.0),
        ("small", "params", "min", "50%", 20.0),
    ]


@pytest.mark.parametrize(("asked", "limit"), [("0%", 0.1), ("100%", 0.7)])
def test_the_ends_of_the_range_are_exact(asked: str, limit: float) -> None:
    ranges = pd.DataFrame({"cost": ["macs"], "least": [0.1], "most": [0.7]})
    assert resolve_budgets({"b": budget(max_macs=asked)}, ranges)[0].limit == limit


def test_numbers_may_be_written_as_text() -> None:
    assert budget(max_macs="2e6").max_macs == 2_000_000.0
    assert budget(max_macs=" 30.50 %").max_macs == "30.5%"


@pytest.mark.parametrize("asked", ["x%", "101%", -1, "-3", True, float("nan"), "inf", [1]])
def test_what_is_neither_a_number_nor_a_percentage_is_refused(asked: object) -> None:
    with pytest.raises(ValidationError, match="percentage"):
        budget(max_macs=asked)


def test_unknown_bounds_and_crossed_bounds_are_refused() -> None:
    with pytest.raises(ValidationError, match="max_mac"):
        budget(max_mac=1)
    with pytest.raises(ValidationError, match="min_macs 5 is above max_macs 4"):
        SearchParameters.model_validate({"budgets": {"b": {"min_macs": 5, "max_macs": 4}}})


def test_feasibility_compares_each_bound_with_the_range() -> None:
    table = feasibility({"a": budget(max_macs=100), "b": budget(max_macs=99, min_params=30), "c": budget()}, RANGES)
    assert table["budget"].tolist() == ["a", "b", "b"]
    assert table["feasible"].tolist() == [True, False, True]
    assert table.columns.tolist() == ["budget", "cost", "bound", "asked", "limit", "least", "most", "exact", "feasible"]
    require_feasible(table[table["feasible"]])
    with pytest.raises(ArchatlasError) as error:
        require_feasible(table)
    for part in ("search.budgets.b.max_macs", "at most 99 MACs", "100 to 1,100"):
        assert part in str(error.value)
    assert "budgets.a" not in str(error.value)


def test_a_bound_that_a_sample_alone_misses_is_doubted_and_does_not_stop(caplog: pytest.LogCaptureFixture) -> None:
    table = feasibility({"b": budget(max_macs=99)}, RANGES.assign(exact=False))
    assert table[["exact", "feasible"]].to_numpy().tolist() == [[False, False]]
    require_feasible(table)
    assert "at most 99 MACs, but networks drawn from the space have about 100 to 1,100 MACs: perhaps" in caplog.text


def test_no_bounds_make_an_empty_table() -> None:
    table = feasibility({"all": budget()}, RANGES)
    assert table.empty
    require_feasible(table)
    assert constraints_of(table) == {}


def test_a_latency_bound_needs_a_latency_table() -> None:
    asked = {"fast": budget(max_latency_ms="50%")}
    with pytest.raises(ArchatlasError, match=r"`search.budgets.fast.max_latency_ms` is 50%, but there is no latency"):
        resolve_budgets(asked, RANGES)
    assert constraints_of(feasibility(asked, WITH_LATENCY)) == {"fast": [Constraint("latency_ms", "max", 1.5)]}


def test_bounds_that_exclude_each_other_are_named() -> None:
    table = feasibility({"odd": budget(max_macs=200, min_params=29)}, RANGES)
    with pytest.raises(ArchatlasError, match=r"search\.budgets\.odd.*max_macs 200 .*min_params 29 .*Loosen"):
        require_jointly_feasible(table, {"odd": False})
    require_jointly_feasible(table, {"odd": True})
