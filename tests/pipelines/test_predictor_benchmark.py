"""The pipeline of the predictor benchmark on a small table, and what its rows are kept by."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from archatlas.errors import ArchatlasError
from archatlas.kedro_ext.datasets import ParquetDataset
from archatlas.kedro_ext.source_code import SourceCode
from archatlas.pipelines.predictor_benchmark.nodes import public_tables
from archatlas.pipelines.predictor_benchmark.pipeline import create_pipeline
from archatlas.pipelines.predictor_benchmark.stores import BY_VALUE, stores_by_code
from archatlas.pipelines.results import describe_results
from archatlas.predictors.benchmark.acquisition_table import RUN_MODULE
from archatlas.predictors.benchmark.parameters import PredictorBenchmarkParameters
from archatlas.predictors.benchmark.run import ROW_MODULE
from archatlas.spaces.presets import preset


@pytest.fixture
def parameters(tmp_path: Path) -> dict[str, Any]:
    """A benchmark of two predictors on 60 networks of NAS-Bench-Macro with made-up accuracies."""
    generator = np.random.default_rng(0)
    space = preset("nas_bench_macro", (3, 32, 32), 10)
    choices = space.sample(60, generator)
    truth = 85 + choices.sum(axis=1) / 3 + generator.normal(scale=0.2, size=(3, 60))
    entries = {
        str(name): {"test_acc": row, "params": 1000, "flops": 5000}
        for name, row in zip(space.names(choices), truth.T.tolist(), strict=True)
    }
    (tmp_path / "nas-bench-macro_cifar10.json").write_text(json.dumps(entries))
    macro = {"labels": [16, 32], "learned": ["test"], "judged": "test", "split": "networks"}
    loop = {"predictor": "ridge", "rule": "upper_confidence", "first": 8, "batch": 4, "title": "by a ridge"}
    return {
        "path": str(tmp_path),
        "seeds": 2,
        "predictors": {"ridge": {"family": "ridge", "title": "a ridge"}, "params": {"family": "params"}},
        "spaces": {"nas_bench_macro": macro},
        "acquisition": {"space": "nas_bench_macro", "observed": "test", "seeds": 2, "most": 50, "loops": {"r": loop}},
    }


def test_from_tables_to_a_page(parameters: dict[str, Any], tmp_path: Path) -> None:
    asked = PredictorBenchmarkParameters.model_validate(parameters)
    inputs = {"params:predictor_benchmark": asked, "params:seed": 3, "work_folder": tmp_path / "work"}
    catalog = DataCatalog({name: MemoryDataset(data, copy_mode="assign") for name, data in inputs.items()})
    made = create_pipeline()
    for name in made.all_outputs() - {"predictor_benchmark_html", "labels_checked"}:
        catalog[name] = ParquetDataset(filepath=str(tmp_path / f"{name}.parquet"))
    catalog["predictor_benchmark_html"] = MemoryDataset(copy_mode="assign")
    SequentialRunner().run(made, catalog)
    rows, summary = catalog.load("predictor_benchmark_rows"), catalog.load("predictor_benchmark_summary")
    assert (len(rows), len(summary)) == (2 * 2 * 2, 2 * 2)
    assert set(catalog.load("predictor_ceilings")["ceiling"]) == {"one_training_another", "one_training_rest"}
    assert catalog.load("acquisition_runs")["found"].all()
    page = catalog.load("predictor_benchmark_html")
    assert "<title>How well do predictors rank networks that others have trained?</title>" in page
    sections = ["goals", "nas-bench-macro", "acquisition", "protocol", "records"]
    assert re.findall('<section id="([a-z0-9-]*)"', page) == sections
    assert "a ridge" in page
    assert "by a ridge" in page
    assert "Seeds 3 to 4." in page


def test_more_labels_than_a_table_has_are_told_before_anything_is_fitted(
    parameters: dict[str, Any], tmp_path: Path
) -> None:
    parameters["spaces"]["nas_bench_macro"]["labels"] = [16, 60]
    parameters["acquisition"] |= {"most": 80}
    parameters["acquisition"]["loops"]["r"]["first"] = 60
    asked = PredictorBenchmarkParameters.model_validate(parameters)
    inputs = {"params:predictor_benchmark": asked, "params:seed": 3, "work_folder": tmp_path / "work"}
    catalog = DataCatalog({name: MemoryDataset(data, copy_mode="assign") for name, data in inputs.items()})
    with pytest.raises(ArchatlasError) as refused:
        SequentialRunner().run(create_pipeline(), catalog)
    assert str(refused.value).splitlines() == [
        "`predictor_benchmark.spaces.nas_bench_macro.labels` asks for 60 labels, but there are 60 rows to draw from, "
        "one of which must be left to be judged: leave larger numbers out, or set `predictor_benchmark.most_labels`",
        "`predictor_benchmark.acquisition.loops.r.first` is 60, but nas_bench_macro has 60 rows: take fewer",
    ]
    assert not (tmp_path / "work").exists()


def test_the_nodes_depend_on_the_files_of_the_tables_that_are_used(parameters: dict[str, Any], tmp_path: Path) -> None:
    files = public_tables({"predictor_benchmark": parameters})
    assert [file.name for file in files] == ["nas-bench-macro_cifar10.json"]
    missing = {**parameters, "path": str(tmp_path / "elsewhere")}
    assert public_tables({"predictor_benchmark": missing}) == []


def test_a_row_is_kept_by_the_code_of_its_own_predictor(tmp_path: Path) -> None:
    source = SourceCode("archatlas")
    ridge, gcn = (
        set(source.reached_by_modules(f"archatlas.predictors.{name}", ROW_MODULE).code)
        for name in ("families.ridge", "graph_networks.gcn")
    )
    assert "archatlas.predictors.graph_networks.gcn" not in ridge
    assert "archatlas.predictors.registry" not in ridge | gcn
    assert "archatlas.predictors.graph_networks.gcn_training" in gcn
    loop = source.reached_by_modules("archatlas.predictors.families.ridge", RUN_MODULE).code
    assert "archatlas.predictors.benchmark.acquisition" in loop
    assert not {"archatlas.predictors.registry", "archatlas.predictors.benchmark.parameters"} & set(loop)
    assert "archatlas.predictors.parameters" not in ridge | gcn
    # A stack makes its members by the registry, which reads the settings of all: they count by value.
    assert "archatlas.predictors.parameters" in source.reached_by_modules("archatlas.predictors.families.stack").code
    assert "archatlas.predictors.parameters" in BY_VALUE
    store_of = stores_by_code(tmp_path)
    folders = [
        store_of(f"archatlas.predictors.{name}", ROW_MODULE).folder
        for name in ("families.ridge", "graph_networks.gcn", "families.ridge")
    ]
    assert folders[0] == folders[2] != folders[1]


def test_the_page_is_named_in_the_end(tmp_path: Path) -> None:
    catalog = DataCatalog({"current_results": MemoryDataset(tmp_path, copy_mode="assign")})
    (line,) = describe_results({}, create_pipeline(), catalog)
    assert line.startswith("Done. The report: ")
    assert line.endswith("predictor_benchmark.html (open it in a browser)")
