from __future__ import annotations

import pytest
import torch
from torch import nn

from archatlas.training.average import WeightAverage


def test_averages_by_hand() -> None:
    network = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        network.weight.fill_(0.0)
    average = WeightAverage(network, decay=0.5)
    with torch.no_grad():
        network.weight.fill_(1.0)
    average.update(0)  # d = 1/10
    assert average.averages["weight"].item() == pytest.approx(0.9)
    average.update(1000)  # d = decay
    assert average.averages["weight"].item() == pytest.approx(0.95)
    assert network.weight.item() == 1.0


def test_takes_in_buffers_and_copies_counters() -> None:
    network = nn.BatchNorm1d(1)
    average = WeightAverage(network, decay=0.9)
    network(torch.tensor([[0.0], [2.0]]))
    average.update(10_000)
    assert average.averages["running_mean"].item() == pytest.approx(0.1 * 0.1)
    assert average.averages["num_batches_tracked"].item() == 1
