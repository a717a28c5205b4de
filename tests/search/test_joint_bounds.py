"""What an integer program says of bounds is what counting every network says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archatlas.costs.constraints import Constraint
from archatlas.costs.counting import count_parts
from archatlas.costs.table import costs_of
from archatlas.search.enumeration import jointly_feasible
from archatlas.spaces.parameters import SpaceParameters
from archatlas.spaces.presets import make_space, preset
from archatlas.spaces.protocol import Enumerable, SearchSpace

FIELDS = {"stem_width": 16, "stages": [{"width": 16, "depth": 2}, {"width": 24, "depth": 2, "stride": 2}]}
CHAIN = make_space(SpaceParameters.model_validate(FIELDS), (1, 8, 8), 10)
FAMILY = make_space(
    SpaceParameters.model_validate({**FIELDS, "image_sizes": [6, 8], "widths": [0.5, 1]}), (1, 8, 8), 10
)
TABLES = {id(space): count_parts(space) for space in (CHAIN, FAMILY)}


@pytest.mark.parametrize("space", [CHAIN, FAMILY], ids=["chain", "family"])
@settings(max_examples=40)
@given(seed=st.integers(0, 2**32), bounds=st.tuples(*[st.sampled_from(["min", "max"])] * 2), near=st.booleans())
def test_it_agrees_with_counting(space: SearchSpace, seed: int, bounds: tuple[str, str], near: bool) -> None:
    assert isinstance(space, Enumerable)
    table = TABLES[id(space)]
    costs = costs_of(space, space.sample(2, np.random.default_rng(seed)), table)
    # Limits of one network are kept at once by it; those of two often are not.
    limits = (costs["macs"][0], costs["params"][0 if near else 1])
    asked = {
        "both": [
            Constraint(cost, bound, float(limit))  # type: ignore[arg-type]
            for cost, bound, limit in zip(("macs", "params"), bounds, limits, strict=True)
        ]
    }
    counted = jointly_feasible(space, asked, table, None)
    assert jointly_feasible(space, asked, table, None, largest=1) == counted
    if near:
        assert counted == {"both": True}


def test_a_space_of_10_to_the_17_networks_is_told_in_a_moment() -> None:
    space = preset("mobile", (3, 224, 224), 1000)
    table = count_parts(space)
    kept = [Constraint("macs", "max", 200e6), Constraint("params", "max", 3e6)]
    # Many weights for few multiplications: no network of the space.
    never = [Constraint("macs", "max", 200e6), Constraint("params", "min", 6e6)]
    assert jointly_feasible(space, {"kept": kept, "never": never}, table, None) == {"kept": True, "never": False}
