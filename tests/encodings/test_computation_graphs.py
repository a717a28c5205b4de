"""Computation graphs of spaces' architectures: exactly those of the built modules."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from archatlas.encodings.computation_graphs import SpaceRecorder, computation_graphs
from archatlas.graphs.recording import record_here
from archatlas.spaces.chain_parts import Stage
from archatlas.spaces.nas_bench_101 import NasBench101
from archatlas.spaces.nas_bench_201 import NasBench201
from archatlas.spaces.presets import preset
from archatlas.spaces.protocol import CountedInBulk, SearchSpace
from archatlas.spaces.tables.accel_nasbench import AccelNasBench
from archatlas.spaces.tables.once_for_all import OnceForAllMobileNetV3
from archatlas.spaces.tables.transnas_bench_101_micro import TransNasBench101Micro

STAGES = (Stage(8, 3, 1), Stage(16, 1, 2), Stage(16, 2, 2))


@pytest.mark.parametrize(
    "space",
    [
        NasBench201("cells", (3, 9, 12), 5, stem_width=8, stages=STAGES),
        NasBench101("cells", (3, 9, 12), 5, stem_width=4, stages=STAGES, vertices=5),
        preset("digits", (1, 8, 8), 10),
        OnceForAllMobileNetV3(input_shape=(3, 40, 33), num_classes=5),
        AccelNasBench(input_shape=(3, 40, 33), num_classes=5),
        TransNasBench101Micro("transnas_bench_101_micro", (3, 64, 28), 5),
    ],
    ids=lambda space: space.name,
)
def test_quick_graphs_are_those_of_the_built_modules(space: SearchSpace) -> None:
    rows = space.sample(5, np.random.default_rng(0))
    recorder = SpaceRecorder(space)
    graphs = [recorder.graph(row) for row in rows]
    with torch.device("meta"):
        built = [record_here(space.build(row).eval(), space.input_shape) for row in rows]
    assert graphs == built
    if isinstance(space, CountedInBulk):
        costs = space.counted_costs(rows)
        assert [graph.macs for graph in graphs] == costs["macs"].tolist()
        assert [graph.params for graph in graphs] == costs["params"].tolist()


def test_a_network_without_a_way_through_keeps_its_skeleton() -> None:
    space = NasBench201("cells", (3, 8, 8), 5, stem_width=8, stages=STAGES)
    row = np.zeros(6, dtype=np.int8)
    graph = SpaceRecorder(space).graph(row)
    assert graph.count("fill") == 6
    assert graph.params == space.counted_costs(row[None])["params"][0]


def test_each_network_is_recorded_once() -> None:
    space = NasBench201("cells", (3, 8, 8), 5, stem_width=8, stages=(Stage(8, 1, 1),))
    row = space.sample(1, np.random.default_rng(1))
    twins = space.twins(row[0])
    graphs, index = computation_graphs(space, np.concatenate([twins, space.sample(2, np.random.default_rng(2))]))
    assert index[: len(twins)].tolist() == [index[0]] * len(twins)
    assert len(graphs) == len(set(index.tolist())) <= 3
