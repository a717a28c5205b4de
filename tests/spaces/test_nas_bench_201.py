"""NAS-Bench-201: counts that are published, costs by hand, and its public table row by row."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from archatlas.networks.counting import count_module
from archatlas.spaces.cell_parameters import EdgeCellParameters
from archatlas.spaces.chain_parts import Stage
from archatlas.spaces.nas_bench_201 import NasBench201, table_costs
from archatlas.spaces.parameters import SpaceParameters, StageParameters
from archatlas.spaces.presets import make_space, preset

BEST = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"


def benchmark() -> NasBench201:
    return NasBench201("nas_bench_201", (3, 32, 32), 10)


def test_the_standard_string():
    space = benchmark()
    assert space.parse([BEST]).tolist() == [[3, 3, 3, 1, 3, 3]]
    assert space.names(np.array([[0, 1, 2, 3, 4, 0]], dtype=np.int8)).tolist() == [
        "|none~0|+|skip_connect~0|nor_conv_1x1~1|+|nor_conv_3x3~0|avg_pool_3x3~1|none~2|"
    ]


def test_sizes():
    space = benchmark()
    assert (space.size, space.networks) == (15_625, 5_425)
    everything = space.cells.numbered(np.arange(space.size))
    assert len(np.unique(space.formulas(everything))) == 4_930
    assert space.formulas(everything).max() == 4_929


def test_the_benchmark_s_own_network_by_hand():
    # 9 weights each for stem 3 -> 16 and reductions 16 -> 32 -> 32 and 32 -> 64 -> 64 with their 1x1 projections, two
    # parameters per normalised channel, and the classifier.
    stem = 9 * 3 * 16 + 2 * 16
    reductions = sum(9 * w * 2 * w + 9 * (2 * w) ** 2 + 2 * (2 * w) * 2 + 2 * w * w for w in (16, 32))
    head = 2 * 64 + 64 * 10 + 10
    pointwise = sum(5 * (w * w + 2 * w) for w in (16, 32, 64))
    spatial = sum(5 * (9 * w * w + 2 * w) for w in (16, 32, 64))
    assert (stem + reductions + head, pointwise, spatial) == (73_306, 28_000, 243_040)
    params = benchmark().counted_costs(benchmark().parse([BEST]))["params"]
    assert params.tolist() == [73_306 + 5 * 243_040]


def test_dead_operations_are_neither_built_nor_counted():
    space = NasBench201("narrow", (1, 8, 8), 3, 4, (Stage(4, 1, 1), Stage(8, 1, 2)))
    # All three convolutions of the first lead to node 1 or 2, which nobody reads.
    rows = np.array([[3, 3, 3, 1, 0, 0], [0, 0, 0, 1, 0, 0]], dtype=np.int8)
    costs = space.counted_costs(rows)
    assert costs["params"][0] == costs["params"][1]
    assert count_module(lambda: space.build(rows[0]), space.input_shape).params == costs["params"][0]
    assert len(table_costs(rows)["params_m"]) == 2
    assert table_costs(rows)["params_m"][0] - table_costs(rows)["params_m"][1] == pytest.approx(3 * 0.24304)


def test_width_and_depth_are_parameters():
    parameters = EdgeCellParameters(
        preset="nas_bench_201",
        stem_width=4,
        stages=(StageParameters(width=4, depth=2), StageParameters(width=6, depth=1)),
    )
    space = make_space(parameters, (1, 8, 8), 3)
    assert (space.stem_width, space.stages) == (4, (Stage(4, 2, 1), Stage(6, 1, 1)))
    assert len(space.build([3] * 6).blocks) == 2 + 1 + 1, "two cells, a block that widens, a cell"
    assert preset("nas_bench_201", (3, 32, 32), 10) == benchmark()


def test_what_chains_alone_have_is_refused():
    given = {"preset": "nas_bench_201", "head_width": None, "stem_width": 8}
    assert SpaceParameters.model_validate(given) == EdgeCellParameters(stem_width=8)
    foreign = "`head_width` is another space's, but `preset` is nas_bench_201: .* stages"
    with pytest.raises(ValidationError, match=foreign):
        SpaceParameters.model_validate({**given, "head_width": 64})
    with pytest.raises(ValidationError, match="there is no setting 'stem_widht'; did you mean `stem_width`"):
        SpaceParameters.model_validate({**given, "stem_widht": None})
    with pytest.raises(ValidationError, match="there is no search space 'nas_bench_21'; did you mean `nas_bench_201`"):
        SpaceParameters.model_validate({"preset": "nas_bench_21"})


def test_graphs_of_a_cell_by_hand():
    space = benchmark()
    # x3 = conv3x3(x0) + pool(conv1x1(x0)); the convolution into node 2 is dead.
    (row,) = space.parse(["|nor_conv_1x1~0|+|nor_conv_3x3~0|none~1|+|nor_conv_3x3~0|avg_pool_3x3~1|none~2|"])
    graphs = space.graphs(row[None])
    kept = np.flatnonzero(graphs.mask[0])
    features = [space.graph_features[feature] for feature in graphs.features[0][kept].argmax(axis=1)]
    adjacency = graphs.adjacency[0][np.ix_(kept, kept)].astype(int)
    order = sorted(range(1, 4), key=lambda node: features[node])
    assert sorted(features) == sorted(
        ["input", "operation_nor_conv_1x1", "operation_nor_conv_3x3", "operation_avg_pool_3x3", "output"]
    )
    pool, pointwise, spatial = order
    edges = {tuple(edge) for edge in np.argwhere(adjacency).tolist()}
    assert edges == {(0, pointwise), (0, spatial), (pointwise, pool), (pool, 4), (spatial, 4)}


def test_table_costs_equal_the_public_table(benchmark_data):
    raw = pd.read_csv(benchmark_data / "nas_bench_201" / "nas_bench_201.csv.gz")
    space = benchmark()
    choices = space.parse(raw["arch"].to_numpy(dtype=str))
    assert len(np.unique(choices, axis=0)) == len(raw) == space.size
    # The table has six digits.
    costs = table_costs(choices)
    assert [f"{value:.6g}" for value in costs["params_m"]] == [f"{value:.6g}" for value in raw["params_M"]]
    assert [f"{value:.6g}" for value in costs["flops_m"]] == [f"{value:.6g}" for value in raw["flops_M"]]


def test_counted_params_equal_the_public_table_where_nothing_is_dead(benchmark_data):
    raw = pd.read_csv(benchmark_data / "nas_bench_201" / "zero_cost_proxies.csv.gz")
    space = benchmark()
    choices = space.parse(raw["net_str"].to_numpy(dtype=str))
    # Its 9,445 cells are the pruned ones.
    assert (space.prune(choices) == choices).all()
    assert len(np.unique(choices, axis=0)) == len(choices) == 9_445
    assert space.counted_costs(choices)["params"].tolist() == (raw["params"] * 1e6).round().astype(int).tolist()
    # The table's FLOPs hold norms, pools and the like; its multiply-accumulates of convolutions are the counter's.
    n1, n3 = ((choices == space.operations.index(word)).sum(axis=1) for word in ("nor_conv_1x1", "nor_conv_3x3"))
    assert space.counted_costs(choices)["macs"].tolist() == (7_783_040 + 3_932_160 * n1 + 35_389_440 * n3).tolist()


def test_twins_of_the_public_table_are_as_accurate_as_noise_allows(benchmark_data):
    raw = pd.read_csv(benchmark_data / "nas_bench_201" / "nas_bench_201.csv.gz")
    space = benchmark()
    network = space.names(space.canonicalise(space.parse(raw["arch"].to_numpy(dtype=str))))
    spread = raw.groupby(network)["c10_test_mean"].agg(["median", "std"]).dropna()
    # Half of the networks' spellings lie within 0.16 points of each other (one standard deviation).
    assert spread.loc[spread["median"] > 90, "std"].median() < 0.16
