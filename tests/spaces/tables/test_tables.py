"""What every public table keeps to, and what is known of each."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from archatlas.costs.table import costs_of
from archatlas.encodings.batch import ArchitectureBatch
from archatlas.encodings.computation_graphs import SpaceRecorder
from archatlas.errors import ArchatlasError
from archatlas.graphs.computation import INDEX, ComputationGraph
from archatlas.spaces.protocol import SearchSpace
from archatlas.spaces.tables.parameters import TableName, TableParameters
from archatlas.spaces.tables.registry import load_table, table_files
from archatlas.spaces.tables.table import BenchmarkTable

from ...vertex_spellings import sample_spellings

NAMES = get_args(TableName)
# Rows, distinct networks, best accuracy of the first kind in percent.
KNOWN = {
    "nas_bench_201": (15_625, 5_425, 94.373),
    "nas_bench_101": (3_609, 3_258, 94.518),
    "nas_bench_macro": (6_561, 3_969, 93.127),
    "transnas_bench_101_micro": (2_128, 1_376, 54.936),
    "once_for_all_mobilenet_v3": (2_312, 2_162, 77.466),
    "accel_nasbench": (5_138, 5_125, 67.052),
}


@pytest.fixture(scope="module", params=NAMES)
def table(request: pytest.FixtureRequest, benchmark_data: Path) -> BenchmarkTable:
    return load_table(TableParameters(name=request.param, path=str(benchmark_data)))


def test_rows_are_named_and_scored(table: BenchmarkTable) -> None:
    rows, networks, best = KNOWN[table.name]
    assert isinstance(table.space, SearchSpace)
    assert (len(table), table.rows["network"].nunique()) == (rows, networks)
    assert (table.rows["network"] == table.space.names(table.space.canonicalise(table.choices))).all()
    assert round(100 * table.rows[table.labels[0].column].max(), 3) == best
    for label in table.labels:
        accuracies = table.rows[[label.column, *label.trainings]].to_numpy()
        known = accuracies[np.isfinite(accuracies)]
        assert len(known) > 0.6 * accuracies.size
        assert ((known > 0) & (known < 1)).all()
        if label.trainings:
            np.testing.assert_allclose(accuracies[:, 0], accuracies[:, 1:].mean(axis=1))
    for column in table.hardware:
        assert not (table.rows[column] <= 0).any()
    assert set(table.hardware) | set(table.proxies) <= set(table.rows)


def test_what_the_space_names_is_what_it_holds(table: BenchmarkTable) -> None:
    assert (table.space.names(table.choices) == table.rows["architecture"]).all()
    batch = ArchitectureBatch(table.space, table.choices[:50])
    assert len(batch.graphs) == 50


def test_one_row_per_network(table: BenchmarkTable) -> None:
    merged = table.networks()
    column = table.labels[0].column
    assert merged.rows["network"].is_unique
    assert (merged.rows["architecture"] == merged.rows["network"]).all()
    network = table.rows["network"].mode()[0]
    mean = table.rows.loc[table.rows["network"] == network, column].mean()
    assert merged.rows.set_index("network").loc[network, column] == pytest.approx(mean)


def test_evaluations_are_those_of_the_table(table: BenchmarkTable) -> None:
    names = table.rows["architecture"].drop_duplicates().tolist()[5:1:-1]
    label = table.labels[0]
    evaluations = table.evaluations(label.name, names)
    seeds = max(len(label.trainings), 1)
    assert evaluations["architecture"].tolist() == np.repeat(names, seeds).tolist()
    assert evaluations["seed"].tolist() == list(range(seeds)) * len(names)
    assert set(evaluations["source"]) == {"table"}
    means = evaluations.groupby("architecture", sort=False)["accuracy"].mean()
    expected = table.rows.drop_duplicates("architecture").set_index("architecture").loc[names, label.column]
    np.testing.assert_allclose(means, expected)
    noise = np.sqrt(evaluations["accuracy"] * (1 - evaluations["accuracy"]) / label.images)
    np.testing.assert_allclose(evaluations["noise"], noise)
    assert len(table.evaluations(label.name, names, by_training=False)) == len(names)


def test_the_best_row_within_bounds(table: BenchmarkTable) -> None:
    label, column = table.labels[0], "table_macs" if "table_macs" in table.rows else table.labels[-1].column
    limit = float(table.rows[column].median())
    best = table.best(label.name, {column: limit})
    kept = table.rows[table.rows[column] <= limit]
    assert best[label.column] == kept[label.column].max()
    assert best[column] <= limit
    with pytest.raises(ArchatlasError, match="no row of the table"):
        table.best(label.name, {column: -1})
    with pytest.raises(ArchatlasError, match="has no column 'table_mac'"):
        table.best(label.name, {"table_mac": 1})
    with pytest.raises(ArchatlasError, match="has no 'tset' accuracy"):
        table.best("tset")


def test_a_missing_file_names_itself_and_its_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ARCHATLAS_BENCHMARK_DATA", raising=False)
    for name in NAMES:
        with pytest.raises(ArchatlasError, match=r"https://github.com/.*ARCHATLAS_BENCHMARK_DATA"):
            load_table(TableParameters(name=name, path=str(tmp_path)))
        with pytest.raises(ArchatlasError, match=r"neither `table.path` nor ARCHATLAS_BENCHMARK_DATA"):
            load_table(TableParameters(name=name))


def test_the_environment_says_where_files_are(benchmark_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCHATLAS_BENCHMARK_DATA", str(benchmark_data))
    assert len(load_table(TableParameters(name="nas_bench_macro"))) == 6_561
    file = benchmark_data / "nas_bench_macro" / "nas-bench-macro_cifar10.json"
    assert len(load_table(TableParameters(name="nas_bench_macro", path=str(file)))) == 6_561
    assert len(load_table(TableParameters(name="nas_bench_macro", path=str(file.parent)))) == 6_561


def test_damaged_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "nas-bench-macro_cifar10.json").write_text('{"00000000": {"test_acc": [1')
    with pytest.raises(ArchatlasError, match=r"nas-bench-macro_cifar10\.json is damaged"):
        load_table(TableParameters(name="nas_bench_macro", path=str(tmp_path)))
    (tmp_path / "nas_bench_201.csv.gz").write_bytes(b"")
    with pytest.raises(ArchatlasError, match=r"nas_bench_201\.csv\.gz is damaged"):
        load_table(TableParameters(name="nas_bench_201", path=str(tmp_path)))
    (tmp_path / "anb_dataset.csv.gz").write_bytes(gzip.compress(b"id,block0_e\n0,6\n"))
    with pytest.raises(ArchatlasError, match=r"anb_dataset\.csv\.gz has no column 'block0_k'"):
        load_table(TableParameters(name="accel_nasbench", path=str(tmp_path)))


def test_tables_need_no_torch() -> None:
    code = "import sys, archatlas.spaces.presets, archatlas.spaces.tables.registry; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# -- Single tables -----------------------------------------------------------------------------------------------------


def load(name: TableName, benchmark_data: Path) -> BenchmarkTable:
    return load_table(TableParameters(name=name, path=str(benchmark_data)))


def test_ceilings_of_nas_bench_macro(benchmark_data: Path) -> None:
    ceilings = load("nas_bench_macro", benchmark_data).ceilings("test")
    assert {name: round(tau, 3) for name, tau in ceilings.items()} == {
        "one_training_another": 0.879,
        "one_training_rest": 0.895,
    }


def test_nas_bench_201_has_hardware_and_proxies(benchmark_data: Path) -> None:
    table = load("nas_bench_201", benchmark_data)
    assert len(table.hardware) == 57
    assert table.rows["hw_cifar10_edgetpu_latency"].notna().sum() == 10_926
    assert table.rows[list(table.proxies)].notna().all(axis=1).sum() == 9_445
    assert {"proxy_synflow", "proxy_nwot", "proxy_zen"} <= set(table.proxies)
    assert round(table.ceilings("test")["twins"], 3) == 0.941
    within = table.best("test", {"help_pixel3": 10.0})
    assert within["help_pixel3"] <= 10 < table.best("test")["help_pixel3"]


def test_twins_in_a_table_answer_for_others(benchmark_data: Path) -> None:
    table = load("nas_bench_101", benchmark_data)
    space = table.space
    spelled = space.names(sample_spellings(space, 2000, np.random.default_rng(0)))
    network = space.names(space.canonicalise(space.parse(spelled)))
    known = [name for name, of in zip(spelled, network, strict=True) if of in set(table.rows["network"])]
    rows = table.rows_of(known[:3])
    assert rows["network"].tolist() == space.names(space.canonicalise(space.parse(known[:3]))).tolist()
    unknown = next(name for name, of in zip(spelled, network, strict=True) if of not in set(table.rows["network"]))
    with pytest.raises(ArchatlasError, match="the table nas_bench_101 has no row for"):
        table.rows_of([unknown])


def test_isomorphic_cells_of_nas_bench_101_have_one_accuracy(benchmark_data: Path) -> None:
    rows = load("nas_bench_101", benchmark_data).rows
    assert (rows.groupby("network")["test_accuracy_0"].nunique() == 1).all()


def test_twins_of_nas_bench_macro_and_transnas_cost_the_same(benchmark_data: Path) -> None:
    for name in ("nas_bench_macro", "transnas_bench_101_micro"):
        rows = load(name, benchmark_data).rows
        assert (rows.groupby("network")[["table_params", "table_macs"]].nunique() == 1).all(axis=None)


def test_runs_of_once_for_all_are_kept_apart(benchmark_data: Path) -> None:
    rows = load("once_for_all_mobilenet_v3", benchmark_data).rows
    assert rows["run"].nunique() == 5
    assert not rows.duplicated(["run", "network"]).any()
    assert (rows.groupby("network")[["table_params", "table_macs"]].nunique() == 1).all(axis=None)


@pytest.mark.parametrize("name", NAMES)
def test_a_table_tells_which_files_it_reads(name: str, benchmark_data: Path) -> None:
    parameters = TableParameters.model_validate({"name": name, "path": str(benchmark_data)})
    told = table_files(parameters)
    opened: set[Path] = set()

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        if listening and event == "open" and isinstance(arguments[0], str | Path):
            opened.add(Path(arguments[0]))

    listening = True
    sys.addaudithook(hear)
    try:
        load_table(parameters)
    finally:
        listening = False
    read = {path for path in opened if path.is_relative_to(benchmark_data)}
    assert read
    assert all(any(path == one or path.is_relative_to(one) for one in told) for path in read)


def loaded(name: TableName, folder: Path) -> BenchmarkTable:
    return load_table(TableParameters(name=name, path=str(folder)))


@pytest.mark.parametrize("name", ["once_for_all_mobilenet_v3", "accel_nasbench", "transnas_bench_101_micro"])
def test_networks_have_exactly_the_parameters_of_the_table(name: TableName, benchmark_data: Path) -> None:
    table = loaded(name, benchmark_data)
    costs = costs_of(table.space, table.choices)
    assert (costs["params"].to_numpy() == table.rows["table_params"].to_numpy()).all()
    if name == "once_for_all_mobilenet_v3":
        assert (costs["macs"].to_numpy() == table.rows["table_macs"].to_numpy()).all()


def values_written(graph: ComputationGraph, operator: str) -> int:
    found = graph.nodes[graph.nodes["operator"] == INDEX[operator]]
    return int((found["channels_out"] * found["places_out"]).sum())


@pytest.mark.parametrize(
    ("name", "norm", "activation", "fixed"),
    [("accel_nasbench", 4, 0, 64_000), ("transnas_bench_101_micro", 2, 1, 41_472)],
)
def test_what_other_counters_counted(
    name: TableName, norm: int, activation: int, fixed: int, benchmark_data: Path
) -> None:
    table = loaded(name, benchmark_data)
    rows, recorder = np.arange(0, len(table.rows), len(table.rows) // 20), SpaceRecorder(table.space)
    for number in rows:
        graph = recorder.graph(table.choices[number])
        if graph.count("hard_sigmoid"):
            continue  # Squeeze-excitation: its pooling was counted too.
        more = norm * values_written(graph, "batch_norm") + activation * values_written(graph, "relu") + fixed
        assert graph.macs + more == table.rows["table_macs"][number]
