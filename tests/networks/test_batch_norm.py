from __future__ import annotations

import pytest
import torch
from torch import nn

from archatlas.networks.batch_norm import estimating, norm_layers


def reestimate(network: nn.Module, batches: list[torch.Tensor]) -> None:
    network.eval()
    with torch.no_grad(), estimating(norm_layers(network)):
        for batch in batches:
            network(batch)


def test_statistics_by_hand() -> None:
    layer = nn.BatchNorm1d(1)
    layer.running_mean.fill_(100.0)
    # Batch means 1 and 6; unbiased variances 2 and 8: each batch weighs the same.
    reestimate(layer, [torch.tensor([[0.0], [2.0]]), torch.tensor([[4.0], [8.0]])])
    assert layer.running_mean.item() == pytest.approx(3.5)
    assert layer.running_var.item() == pytest.approx(5.0)
    assert layer.momentum == 0.1
    assert not layer.training


def test_a_second_layer_sees_what_the_first_makes_of_each_batch_by_its_own_statistics() -> None:
    network = nn.Sequential(nn.BatchNorm1d(1, eps=1e-12), nn.BatchNorm1d(1, eps=1e-12))
    reestimate(network, [torch.tensor([[0.0], [2.0]]), torch.tensor([[4.0], [8.0]])])
    # Each batch leaves the first layer as (-1, 1): mean 0, unbiased variance 2.
    assert network[1].running_mean.item() == pytest.approx(0.0, abs=1e-6)
    assert network[1].running_var.item() == pytest.approx(2.0)


def test_only_norms_are_in_train_mode_and_only_for_a_while() -> None:
    network = nn.Sequential(nn.Dropout(), nn.BatchNorm1d(2, momentum=0.3), nn.BatchNorm1d(2, track_running_stats=False))
    network.eval()
    layers = norm_layers(network)
    assert layers == [network[1]]
    with estimating(layers):
        assert network[1].training
        assert not network[0].training
    assert not network[1].training
    assert network[1].momentum == 0.3
