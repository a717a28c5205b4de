from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.encodings.opinions import OpinionScale, opinions_of
from archatlas.errors import ArchatlasError
from archatlas.spaces.presets import preset

EIGHTH, THREE_EIGHTHS = 1.1503493803760083, 0.31863936396437514
"""Normal quantiles of 7/8 and 5/8."""


@pytest.fixture(scope="module")
def five() -> ArchitectureBatch:
    space = preset("digits", (1, 8, 8), 10)
    return ArchitectureBatch(space, space.sample(5, np.random.default_rng(0)))


def test_an_opinion_is_read_as_normal_quantiles_of_its_ranks() -> None:
    scale = OpinionScale.find(pd.DataFrame({"b": [1e30, -2.0, 0.0, 7.0], "a": [1.0, 1.0, 3.0, 3.0]}))
    assert scale.names == ("a", "b")
    said = scale.quantiles(pd.DataFrame({"a": [1.0, 3.0], "b": [7.0, 1e30]}))
    ties = 0.6744897501960817  # of 3/4: equal values share the mean of their ranks, 1.5 and 3.5
    np.testing.assert_allclose(said, [[-ties, THREE_EIGHTHS], [ties, EIGHTH]], rtol=1e-12)


def test_what_is_missing_is_the_median_and_what_lies_beyond_is_bounded() -> None:
    scale = OpinionScale.find(pd.DataFrame({"a": [0.0, 1.0, 2.0, 3.0, np.nan]}))
    said = scale.quantiles(pd.DataFrame({"a": [np.nan, -1e9, 1e9, 3.3]}))[:, 0]
    np.testing.assert_array_equal(said[:3], [0.0, -4.0, 4.0])
    assert EIGHTH < said[3] < EIGHTH + 0.3


def test_opinions_that_tell_nothing_are_passed_over() -> None:
    frame = pd.DataFrame({"constant": [2.0, 2.0], "missing": [np.nan, np.nan], "a": [1.0, 2.0]})
    assert OpinionScale.find(frame).names == ("a",)
    assert OpinionScale.find(frame[["constant"]]).quantiles(frame).shape == (2, 0)


def test_an_asked_opinion_that_tells_nothing_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    frame = pd.DataFrame({"constant": [2.0, 2.0], "missing": [np.nan, np.nan], "a": [1.0, 2.0]})
    with caplog.at_level(logging.INFO):
        OpinionScale.find(frame, ["missing", "a"])
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "opinions that say the same of all networks, or nothing: missing"),
        ("INFO", "opinions that say the same of all networks, or nothing: constant"),
    ]


def test_values_that_are_not_finite_are_missing_named_and_counted(
    five: ArchitectureBatch, caplog: pytest.LogCaptureFixture
) -> None:
    proxies = pd.DataFrame({"proxy_nwot": [1.0, np.inf, -np.inf, np.nan, 2.0], "macs": [5, 4, 3, 2, 1]})
    with caplog.at_level(logging.WARNING):
        opinions = opinions_of(five.with_proxies(proxies))
    assert [record.getMessage() for record in caplog.records] == [
        "nwot is not finite for 3 of 5 networks: they have no opinion by it"
    ]
    assert opinions["nwot"].isna().tolist() == [False, True, True, True, False]
    # The batch's own column stands in the place of the counted cost.
    assert opinions["macs"].tolist() == [5, 4, 3, 2, 1]
    np.testing.assert_allclose(opinions["params"], np.log(five.costs["params"]))


def test_a_prediction_needs_the_opinions_of_the_fit() -> None:
    scale = OpinionScale.find(pd.DataFrame({"a": [1.0, 2.0], "b": [1.0, 2.0]}))
    with pytest.raises(ArchatlasError, match=r"fitted with the opinion 'b' \(1 are missing\)"):
        scale.quantiles(pd.DataFrame({"a": [1.0]}))


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30), st.lists(st.floats(-1e7, 1e7), min_size=2, max_size=30))
@example([0.0, 2.225073858507e-311], [0.0, 0.0])
@example([0.0, 2.225073858507e-311], [-1.0, 1.0])
def test_no_order_is_ever_turned_round(known: list[float], asked: list[float]) -> None:
    scale = OpinionScale.find(pd.DataFrame({"a": known}))
    said = scale.quantiles(pd.DataFrame({"a": sorted(asked)}))
    assert (np.diff(said, axis=0) >= -1e-9).all()
    loaded = OpinionScale.from_state(scale.state())
    np.testing.assert_array_equal(loaded.quantiles(pd.DataFrame({"a": sorted(asked)})), said)
