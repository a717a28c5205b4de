from __future__ import annotations

import numpy as np
import pytest
import torch

from archatlas.predictors.graph_networks.losses import list_mle, pairwise_hinge, squared_error


def test_squared_error_is_weighted_within_members() -> None:
    outputs = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    weights = torch.tensor([[1.0, 0.0], [3.0, 1.0]])
    # Member 0: (1 * 1 + 3 * 0) / 4; member 1: (1 * 4) / 1.
    assert squared_error(outputs, torch.zeros(2), weights).item() == pytest.approx((0.25 + 4) / 2)


def test_list_mle_by_hand() -> None:
    outputs = torch.tensor([[1.0], [2.0], [9.0]])
    weights = torch.tensor([[1.0], [1.0], [0.0]])
    # The third is not in the list. Best first: target 5 (output 2), then target 3 (output 1).
    expected = (np.log(np.exp(2) + np.exp(1)) - 2 + 0) / 2
    assert list_mle(outputs, torch.tensor([3.0, 5.0, 4.0]), weights).item() == pytest.approx(expected, rel=1e-5)


def test_hinge_is_zero_where_every_pair_is_apart_by_its_margin() -> None:
    target = torch.tensor([0.0, 0.5, 3.0])
    weights, generator = torch.ones(3, 1), torch.Generator().manual_seed(0)
    assert pairwise_hinge(target[:, None], target, weights, generator).item() == 0
    # Reversed: each pair lacks its margin and its difference. Margins .5, 1, 1; gains -.5, -3, -2.5.
    reverse = pairwise_hinge(-target[:, None], target, weights, generator).item()
    assert reverse == pytest.approx((1.0 + 4.0 + 3.5) / 3)
