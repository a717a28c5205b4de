from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from archatlas.costs.counting import count_parts
from archatlas.encodings import feature_groups as module
from archatlas.encodings.batch import ArchitectureBatch
from archatlas.encodings.distinct_rows import distinct_rows
from archatlas.encodings.feature_groups import GROUPS, FeatureColumns, feature_groups, log_costs
from archatlas.errors import ArchatlasError
from archatlas.graphs.architecture_graphs import ArchitectureGraphs
from archatlas.predictors.parameters import ReadOutGroup
from archatlas.spaces.nas_bench_201 import NasBench201
from archatlas.spaces.presets import preset
from archatlas.spaces.protocol import CountedInBulk, SearchSpace
from archatlas.spaces.tables.accel_nasbench import AccelNasBench
from archatlas.spaces.tables.once_for_all import OnceForAllMobileNetV3
from archatlas.spaces.tables.transnas_bench_101_micro import TransNasBench101Micro

from ..newcomers.newcomer_space import FreeDag
from ..vertex_spellings import sample_spellings

CELLS = NasBench201("nas_bench_201", (3, 32, 32), 10)
CHAINS = preset("digits", (1, 8, 8), 10)
VERTICES = preset("nas_bench_101", (3, 32, 32), 10)
TABLES: list[SearchSpace] = [
    OnceForAllMobileNetV3(),
    AccelNasBench(),
    TransNasBench101Micro("transnas_bench_101_micro", (3, 256, 256), 47),
]

CELL = "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_1x1~1|nor_conv_3x3~2|"
ALWAYS = {"one_hot", "nodes", "kinds", "edges", "wl", "depths", "degrees", "path_words"}
OF_PATHS = {"path_totals", "most", "fewest", "mean", "soft", "within", "apart"}


def batch_of(space: SearchSpace, count: int, seed: int = 0) -> ArchitectureBatch:
    return ArchitectureBatch(space, space.sample(count, np.random.default_rng(seed)))


def cells(*names: str) -> ArchitectureBatch:
    return ArchitectureBatch(CELLS, CELLS.parse(names))


def vertices(count: int) -> ArchitectureBatch:
    """Cells of up to seven vertices; not by ``sample``, which lists all networks first."""
    return ArchitectureBatch(VERTICES, sample_spellings(VERTICES, count, np.random.default_rng(0)))


def test_a_cell_by_hand() -> None:
    # Its paths: skip; 3x3, 1x1; 3x3, 3x3; 3x3, pool, 3x3.
    groups = feature_groups(cells(CELL), columns=FeatureColumns.find(cells(CELL), costs=False, at_least=1))
    assert groups.keys() == ALWAYS | OF_PATHS
    np.testing.assert_array_equal(groups["path_totals"], [[np.log1p(4), 2, 4]])
    # Letters: skip, 1x1, 3x3, pool; then sets of two and three, then all.
    assert groups["most"][0, :4].tolist() == [1, 1, 2, 1]
    assert (groups["most"][0, -1], groups["fewest"][0, -1], groups["mean"][0, -1]) == (3, 1, 2)
    assert groups["within"][0, :5].tolist() == [0, 1, 0, 1, 0]
    assert groups["within"][0, -1] == 4
    assert groups["path_words"].tolist() == [[1, 1, 1, 1]]
    assert sorted(groups["kinds"][0]) == [1, 1, 1, 3]
    assert groups["degrees"][0, :2].tolist() == [8, 10]
    # Input to 3x3 (twice) and to skip; 3x3 to 1x1, to pool and to 3x3; pool to 3x3; skip, 1x1 and 3x3 to the output.
    assert sorted(groups["edges"][0]) == [1] * 8 + [2]
    assert groups["one_hot"].sum() == 6


def test_skips_are_silent_in_words() -> None:
    # One cell convolves twice; the other convolves the sum of two, one of them through a skip.
    straight = "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|none~0|none~1|nor_conv_3x3~2|"
    residual = "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|none~0|skip_connect~1|nor_conv_3x3~2|"
    columns = FeatureColumns.find(cells(straight, residual, CELL), at_least=1, costs=False)
    words = columns.groups(cells(straight, residual))["path_words"]
    assert words.sum(axis=1).tolist() == [1, 2]
    assert (words[0] <= words[1]).all()


def test_isomorphic_cells_have_equal_features() -> None:
    cell = "|nor_conv_3x3~0|+|nor_conv_1x1~0|none~1|+|none~0|avg_pool_3x3~1|skip_connect~2|"
    turned = "|nor_conv_1x1~0|+|nor_conv_3x3~0|none~1|+|none~0|skip_connect~1|avg_pool_3x3~2|"
    columns = FeatureColumns.find(batch_of(CELLS, 100), costs=False)
    for name, group in columns.groups(cells(cell, turned)).items():
        np.testing.assert_array_equal(group[0], group[1], err_msg=name)
    twins = CELLS.twins(CELLS.parse([cell]))
    assert len(twins) > 1
    for group in columns.groups(ArchitectureBatch(CELLS, twins)).values():
        assert (group == group[0]).all()


@pytest.mark.parametrize("batch", [batch_of(CELLS, 60), batch_of(CHAINS, 60), vertices(60)], ids=lambda b: b.space.name)
def test_columns_of_a_training_part_are_used_on_others(batch: ArchitectureBatch) -> None:
    columns = FeatureColumns.find(batch[:30], costs=False)
    on_training, on_all = columns.groups(batch[:30]), columns.groups(batch)
    assert on_training.keys() == on_all.keys()
    for name, group in on_all.items():
        assert group.dtype == np.float64
        assert group.shape[0] == 60
        np.testing.assert_array_equal(group[:30], on_training[name], err_msg=name)
    assert np.isfinite(np.concatenate(list(on_all.values()), axis=1)).all()


def test_the_order_of_nodes_does_not_matter() -> None:
    batch = batch_of(CELLS, 40)
    order = [0, *np.random.default_rng(0).permutation(range(1, 7)).tolist(), 7]
    graphs = batch.graphs
    moved = ArchitectureGraphs(
        graphs.features[:, order], graphs.adjacency[:, order][:, :, order], graphs.mask[:, order]
    )
    columns = FeatureColumns.find(batch, costs=False)
    turned = columns.groups(ArchitectureBatch(CELLS, batch.choices, graphs=moved))
    for name, group in columns.groups(batch).items():
        np.testing.assert_allclose(group, turned[name], rtol=1e-12, err_msg=name)


def test_what_training_lacks_has_no_column() -> None:
    pooled = "|avg_pool_3x3~0|+|none~0|nor_conv_3x3~1|+|nor_conv_3x3~0|none~1|nor_conv_3x3~2|"
    plain = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|nor_conv_3x3~0|none~1|nor_conv_3x3~2|"
    columns = FeatureColumns.find(cells(plain), at_least=1, costs=False)
    groups = columns.groups(cells(plain, pooled))
    assert groups["kinds"].tolist() == [[4], [3]]
    assert groups["path_words"].sum(axis=1).tolist() == [2, 1]
    assert groups["edges"].sum(axis=1).tolist() == [6, 4]


def test_seldom_words_and_neighbourhoods_have_no_column() -> None:
    twice, once = cells(CELL, CELL), cells(CELL)
    assert len(FeatureColumns.find(once).words) == 0
    assert len(FeatureColumns.find(twice).words) == 4
    assert len(FeatureColumns.find(once).neighbourhoods) < len(FeatureColumns.find(twice).neighbourhoods)
    assert FeatureColumns.find(once, costs=False).groups(once)["path_words"].shape == (1, 0)


@pytest.mark.parametrize("batch", [batch_of(CELLS, 40), batch_of(CHAINS, 40)], ids=lambda b: b.space.name)
def test_columns_come_back_from_their_state(batch: ArchitectureBatch) -> None:
    columns = FeatureColumns.find(batch, costs=False)
    back = FeatureColumns.from_state({**columns.state(), "weights": np.zeros(3)})
    assert (back.branches, back.costs) == (columns.branches, columns.costs)
    again = back.groups(batch)
    for name, group in columns.groups(batch).items():
        np.testing.assert_array_equal(group, again[name], err_msg=name)


def test_chains_say_nothing_of_paths() -> None:
    batch = batch_of(CHAINS, 50)
    columns = FeatureColumns.find(batch, costs=False, at_least=1)
    assert not columns.branches
    groups = columns.groups(batch)
    assert groups.keys() == ALWAYS
    assert groups["path_words"].shape == (50, 0)
    np.testing.assert_array_equal(groups["degrees"][:, 0], groups["degrees"][:, 1] + 1)


@pytest.mark.parametrize("space", [CELLS, CHAINS, VERTICES, *TABLES], ids=lambda space: space.name)
@pytest.mark.parametrize("count", [0, 1])
def test_none_and_one(space: SearchSpace, count: int) -> None:
    some = vertices(20) if space is VERTICES else batch_of(space, 20)
    columns = FeatureColumns.find(some, costs=False)
    widths = {name: group.shape[1] for name, group in columns.groups(some).items()}
    assert {name: group.shape for name, group in columns.groups(some[:count]).items()} == {
        name: (count, width) for name, width in widths.items()
    }
    alone = feature_groups(some[:count], costs=False)
    assert all(len(group) == count for group in alone.values())


def test_a_cell_without_a_path() -> None:
    cut_off = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
    groups = FeatureColumns.find(cells(CELL), costs=False, at_least=1).groups(cells(cut_off))
    assert groups["path_totals"].tolist() == [[0, -1, -1]]
    assert not groups["path_words"].any()
    assert not groups["within"].any()


def test_equal_rows_and_chunks_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = batch_of(CELLS, 50)
    columns = FeatureColumns.find(batch, costs=False)
    whole = columns.groups(batch)
    rows = np.random.default_rng(0).integers(0, 50, 120)
    monkeypatch.setattr(module, "_CHUNK", 7)
    for name, group in columns.groups(batch[rows]).items():
        np.testing.assert_array_equal(group, whole[name][rows], err_msg=name)
    found = FeatureColumns.find(batch, costs=False)
    np.testing.assert_array_equal(found.words, columns.words)


def test_distinct_rows() -> None:
    choices = np.array([[1, 2], [0, 3], [1, 2], [0, 0], [0, 3]], dtype=np.int8)
    first, place = distinct_rows(choices)
    assert first.tolist() == [0, 1, 3]
    assert place.tolist() == [0, 1, 0, 2, 1]
    assert [len(part) for part in distinct_rows(choices[:0])] == [0, 0]


def test_branches_too_many_to_write_out_are_branches(monkeypatch: pytest.MonkeyPatch) -> None:
    few = module.paths
    monkeypatch.setattr(module, "paths", lambda graphs: few(graphs, most=1))
    columns = FeatureColumns.find(cells(CELL), costs=False, at_least=1)
    assert columns.branches
    assert columns.groups(cells(CELL))["path_totals"][0, 1:].tolist() == [2, 4]


# -- Costs ---------------------------------------------------------------------------------------------------------


def test_costs_of_cells_are_counted_in_bulk() -> None:
    batch = vertices(5)
    assert isinstance(VERTICES, CountedInBulk)
    counted = VERTICES.counted_costs(batch.choices)
    expected = np.log(np.stack([counted["params"], counted["macs"]], axis=1))
    np.testing.assert_array_equal(feature_groups(batch)["log_costs"], expected)
    assert "log_costs" not in feature_groups(batch, costs=False)


def test_costs_of_chains_and_a_damaged_table() -> None:
    table = count_parts(CHAINS)
    batch = ArchitectureBatch(CHAINS, batch_of(CHAINS, 5).choices, cost_table=table)
    np.testing.assert_array_equal(np.exp(log_costs(batch)).round(), batch.costs[["params", "macs"]])
    assert log_costs(ArchitectureBatch(CHAINS, batch.choices[:0], cost_table=table)).shape == (0, 2)
    damaged = ArchitectureBatch(CHAINS, batch.choices, cost_table=table[table["part"] != "head"])
    with pytest.raises(ArchatlasError, match="lacks head"):
        log_costs(damaged)


@pytest.mark.parametrize("count", [0, 3])
def test_costs_of_what_is_counted_one_by_one_have_their_columns(count: int) -> None:
    batch = batch_of(FreeDag("free_dag", (1, 9, 7), 3), 3)[:count]
    assert log_costs(batch).shape == (count, 2)


def test_only_what_is_asked_for_is_made() -> None:
    batch = ArchitectureBatch(CELLS, CELLS.sample(30, np.random.default_rng(2)))
    columns = FeatureColumns.find(batch)
    every = columns.groups(batch)
    assert set(every) == set(GROUPS) == set(get_args(ReadOutGroup))
    some = columns.groups(batch, ("soft", "wl", "log_costs", "proxies"))
    assert set(some) == {"soft", "wl", "log_costs"}
    for name, group in some.items():
        np.testing.assert_array_equal(group, every[name])
