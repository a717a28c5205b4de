from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from archatlas.costs.constraints import Constraint
from archatlas.costs.counting import count_parts
from archatlas.costs.parameters import LatencyParameters
from archatlas.spaces.parameters import SpaceParameters
from archatlas.spaces.presets import make_space, preset
from archatlas.verification.comparisons import comparisons, random_networks
from archatlas.verification.parameters import VerificationParameters


def test_random_networks_keep_their_budget_and_are_shared_between_budgets() -> None:
    space = preset("digits", (1, 8, 8), 10)
    parts = count_parts(space)
    budgets = {"wide": [Constraint("macs", "max", 300_000)], "narrow": [Constraint("macs", "max", 200_000)], "all": []}
    drawn = random_networks(space, budgets, 5, np.random.default_rng(0), parts)
    assert drawn.groupby("budget").size().to_dict() == {"wide": 5, "narrow": 5, "all": 5}
    assert drawn.loc[drawn["budget"] == "wide", "macs"].max() <= 300_000
    assert drawn.loc[drawn["budget"] == "narrow", "macs"].max() <= 200_000
    assert not drawn.duplicated(["budget", "network"]).any()
    pd.testing.assert_frame_equal(drawn, random_networks(space, budgets, 5, np.random.default_rng(0), parts))


def test_a_small_space_gives_what_it_has() -> None:
    fields = {"stem_width": 6, "stages": [{"width": 8, "depth": 2}], "choices": ["k3e1", "skip"]}
    space = make_space(SpaceParameters.model_validate(fields), (1, 8, 8), 10)
    drawn = random_networks(space, {"all": [], "none": [Constraint("macs", "max", 1)]}, 5, np.random.default_rng(0))
    assert sorted(drawn["network"]) == ["k3e1-k3e1", "k3e1-skip"]
    assert set(drawn["budget"]) == {"all"}


def test_a_budget_that_no_scaled_mobilenet_keeps_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    fields = {"stem_width": 6, "stages": [{"width": 8, "depth": 2}], "choices": ["k3e1", "skip"]}
    space = make_space(SpaceParameters.model_validate(fields), (1, 8, 8), 10)
    budgets = {"odd": [Constraint("macs", "max", 1)], "wide": [Constraint("macs", "max", 300_000)]}
    parameters, latency = VerificationParameters(random_networks=0), LatencyParameters(source="none")
    with caplog.at_level("INFO", logger="archatlas"):
        table = comparisons(space, budgets, parameters, latency, 0, count_parts(space), pd.DataFrame())
    assert table["budget"].tolist() == ["wide"]
    assert [record.getMessage() for record in caplog.records] == [
        "Scaled MobileNet of budget odd: none keeps this budget, with all widths of the space times 0.01 to 4."
    ]
