"""Simple features of computation graphs."""

from __future__ import annotations

import numpy as np
import pytest
from torch import nn

from archatlas.graphs.computation import deployed
from archatlas.graphs.computation_statistics import statistic_names, statistics, statistics_of
from archatlas.graphs.graph_builder import GraphBuilder
from archatlas.graphs.recording import record
from archatlas.networks.blocks import ConvNorm, SqueezeExcitation


def named(module: nn.Module, shape: tuple[int, ...]) -> dict[str, float]:
    return dict(zip(statistic_names(), statistics(record(module, shape)).tolist(), strict=True))


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(ConvNorm(8, 8, 3), ConvNorm(8, 8, 3, groups=8))

    def forward(self, x):
        return x + self.layers(x)


def test_a_residual_block_by_hand() -> None:
    found = named(nn.Sequential(nn.Conv2d(3, 8, 1, stride=2), Residual()), (3, 8, 8))
    params = 3 * 8 + 8 + 8 * 8 * 9 + 8 + 8 * 9 + 8
    assert found["log_params"] == pytest.approx(np.log1p(params))
    assert found["log_macs"] == pytest.approx(np.log1p(16 * (24 + 576 + 72)))
    assert found["log_depth"] == pytest.approx(np.log(4))
    assert found["log_depth_shortest"] == pytest.approx(np.log(2))
    assert found["log_ways"] == pytest.approx(np.log1p(np.log(2)))
    assert found["log_skip_length"] == pytest.approx(np.log(3))
    assert found["log_number_depthwise3"] == pytest.approx(np.log(2))
    assert found["macs_share_conv3"] == pytest.approx(576 / 672)
    assert found["log_number_at_half"] == pytest.approx(np.log(3))
    assert found["log_receptive_field"] == pytest.approx(np.log1p(1 + 2 * 2 + 2 * 2))
    assert found["share_add"] == pytest.approx(1 / 6)
    assert found["share_bias"] == 1


def test_the_ways_of_all_outputs_count() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.main = nn.Sequential(*(nn.Conv2d(3, 3, 3, padding=1) for _ in range(10)))
            self.beside = nn.Conv2d(3, 3, 5, padding=2)

        def forward(self, x):
            return self.main(x), self.beside(x)

    found = named(Two(), (3, 8, 8))
    assert found["log_depth"] == found["log_depth_nodes"] == pytest.approx(np.log(11))
    assert found["log_depth_shortest"] == pytest.approx(np.log(2))
    assert found["log_ways"] == pytest.approx(np.log1p(np.log(2)))
    assert found["log_receptive_field"] == pytest.approx(np.log1p(21))
    assert found["log_width_of_graph"] == pytest.approx(np.log1p(12 / 10))


def test_squeeze_gates_are_counted() -> None:
    found = named(SqueezeExcitation(8), (8, 4, 4))
    assert found["log_number_squeeze_gates"] == pytest.approx(np.log(2))


def test_a_module_and_what_is_deployed_of_it_have_the_same() -> None:
    graph = record(nn.Sequential(ConvNorm(3, 8, 3), nn.Flatten(), nn.Linear(512, 2)), (3, 8, 8))
    assert (statistics(graph) == statistics(deployed(graph))).all()


def test_names_are_distinct_and_fit_whatever_the_graph() -> None:
    names = statistic_names()
    assert len(set(names)) == len(names)
    empty = GraphBuilder((1, 3, 8, 8)).graph([0])
    made = statistics_of([empty, record(nn.Linear(4, 2), (4,))])
    assert made.shape == (2, len(names))
    assert np.isfinite(made).all()
    assert statistics_of([]).shape == (0, len(names))
