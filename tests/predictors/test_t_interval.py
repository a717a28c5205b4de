"""Intervals of means by Student's t."""

from __future__ import annotations

import numpy as np
import pytest

from archatlas.predictors.t_interval import reach_of, reach_of_mean


def test_an_interval_of_three_values_by_hand() -> None:
    # A spread of 1, and the quantile of two degrees of freedom.
    assert reach_of_mean([1.0, 2.0, 3.0]) == pytest.approx(4.302653 / 3**0.5)
    assert reach_of(1.0, 1e9) == pytest.approx(1.959964)
    assert np.isnan(reach_of_mean([1.0]))


def test_three_values_hold_their_mean_as_often_as_is_said() -> None:
    drawn = np.random.default_rng(0).normal(size=(2000, 3))
    held = [abs(values.mean()) <= reach_of_mean(values) for values in drawn]
    assert np.mean(held) == pytest.approx(0.95, abs=0.015)
