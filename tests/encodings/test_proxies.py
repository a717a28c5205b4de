from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.encodings.proxies import proxy_knots, proxy_quantiles
from archatlas.errors import ArchatlasError
from archatlas.spaces.nas_bench_201 import NasBench201

SPACE = NasBench201("nas_bench_201", (3, 32, 32), 10)


def _batch(values: dict[str, list[float]]) -> ArchitectureBatch:
    count = len(next(iter(values.values())))
    return ArchitectureBatch(SPACE, SPACE.sample(count, np.random.default_rng(0)), proxies=pd.DataFrame(values))


def test_the_middle_is_zero_and_tails_end() -> None:
    train = _batch({"a": [float(value) for value in range(101)]})
    here = proxy_quantiles(_batch({"a": [50.0, -1e9, 1e9, 75.5]}), proxy_knots(train))
    np.testing.assert_allclose(here[:, 0], [0.0, -2.577, 2.577, 0.6745], atol=2e-2)


def test_only_order_counts() -> None:
    values = np.random.default_rng(1).normal(size=101)
    plain, stretched = _batch({"a": values.tolist()}), _batch({"a": np.exp(9 * values).tolist()})
    np.testing.assert_allclose(
        proxy_quantiles(plain, proxy_knots(plain)), proxy_quantiles(stretched, proxy_knots(stretched)), atol=1e-9
    )


def test_what_is_missing_counts_as_the_lowest() -> None:
    train = _batch({"a": [1.0, 2.0, 3.0, float("nan")]})
    here = proxy_quantiles(train, proxy_knots(train))[:, 0]
    assert here[3] == here[0] == here.min()


def test_what_is_missing_counts_as_the_lowest_whatever_is_asked_beside_it() -> None:
    knots = proxy_knots(_batch({"a": [float(value) for value in range(101)], "b": [float("nan")] * 101}))
    lowest = proxy_quantiles(_batch({"a": [0.0], "b": [0.0]}), knots)
    assert lowest[0, 0] == pytest.approx(-2.577, abs=5e-3)
    for beside in ([], [50.0], [1e9, 2e9]):
        missing = [float("nan"), *beside]
        np.testing.assert_array_equal(proxy_quantiles(_batch({"a": missing, "b": missing}), knots)[:1], lowest)


def test_other_proxies_than_those_of_the_fit() -> None:
    two, one = _batch({"a": [1.0, 2.0], "b": [1.0, 2.0]}), _batch({"a": [1.0, 2.0]})
    with pytest.raises(ArchatlasError, match="fitted with 2 proxies, asked to predict with 1"):
        proxy_quantiles(one, proxy_knots(two))


def test_rows_keep_their_proxies() -> None:
    batch = _batch({"a": [1.0, 2.0, 3.0]})
    assert batch[np.array([2, 0])].proxies["a"].tolist() == [3.0, 1.0]
