from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from archatlas.transfer.parameters import TransferParameters
from archatlas.transfer.summary import figures_of_ranks


def test_figures_of_ranks_by_hand() -> None:
    actual = np.array([0.0, 1.0, 2.0, 3.0])
    assert figures_of_ranks(actual, actual) == {"": 1.0, "top_half_": 1.0, "ndcg_": pytest.approx(1.0)}
    # The two better ones are the wrong way round: one of six pairs. Gains are 0, 1/3, 2/3 and 1.
    found = figures_of_ranks(np.array([0.0, 1.0, 3.0, 2.0]), actual)
    assert found[""] == pytest.approx(4 / 6)
    assert found["top_half_"] == -1
    discounts = 1 / np.log2([2, 3, 4, 5])
    assert found["ndcg_"] == pytest.approx((discounts @ [2 / 3, 1, 1 / 3, 0]) / (discounts @ [1, 2 / 3, 1 / 3, 0]))


def test_one_network_or_none_has_no_rank() -> None:
    one = np.array([1.0])
    assert all(np.isnan(figure) for figure in figures_of_ranks(one, one).values())
    assert all(np.isnan(figure) for figure in figures_of_ranks(np.array([1.0, np.nan]), np.array([0.0, 1.0])).values())


def test_two_tables_of_cifar_are_asked_for() -> None:
    assert TransferParameters(tables=("nas_bench_201", "nas_bench_macro")).timm
    with pytest.raises(ValidationError, match=r"at least 2 are needed, .* but there is nas_bench_201"):
        TransferParameters(tables=("nas_bench_201", "accel_nasbench"))


def test_what_is_ranked_after_the_tenth_does_not_count_for_its_gain() -> None:
    actual = np.arange(20.0)
    swapped = actual.copy()
    swapped[[0, 1]] = 1, 0
    assert figures_of_ranks(swapped, actual)["ndcg_"] == pytest.approx(1.0)
    assert figures_of_ranks(swapped, actual)[""] < 1
