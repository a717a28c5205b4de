from __future__ import annotations

import os
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from kedro_datasets.pandas import ParquetDataset

from archatlas.costs.parameters import CostsParameters
from archatlas.costs.table import costs_of
from archatlas.errors import ArchatlasError
from archatlas.images.description import ImageDescription
from archatlas.kedro_ext.dependencies import dependencies_of, machine
from archatlas.pipelines.measure_costs.nodes import measure_latency
from archatlas.pipelines.measure_costs.pipeline import create_pipeline
from archatlas.pipelines.timing import timed_on
from archatlas.pipelines.verify_candidates.nodes import draw_comparisons
from archatlas.pipelines.verify_candidates.nodes import measure_latency as measure_finalists
from archatlas.search.parameters import SearchParameters
from archatlas.spaces.chain_parameters import ChainParameters
from archatlas.spaces.parameters import StageParameters
from archatlas.spaces.presets import make_space
from archatlas.spaces.search_space import SearchSpaceDocument

SPACE = ChainParameters(
    stem_width=4,
    stages=(StageParameters(width=4, depth=2), StageParameters(width=6, depth=1, stride=2)),
    choices=("k3e1", "k3e3", "skip"),
)
DESCRIPTION = ImageDescription(
    class_names=("a", "b"), channels=1, image_size=8, mean=(0.5,), std=(0.5,), splits={"train": 4}, source="digits"
)
SEARCH_SPACE = SearchSpaceDocument(space=SPACE, input_shape=DESCRIPTION.input_shape, num_classes=2).document()
QUICK = {"calls": 10, "warm_up_calls": 1, "check_networks": 2}


@pytest.fixture
def run(tmp_path):
    return partial(run_stage, tmp_path)


def run_stage(folder, budgets, latency=None):
    tables = {name: ParquetDataset(filepath=f"{folder}/{name}.parquet") for name in ("cost_table", "latency_table")}
    catalog = DataCatalog(
        {
            "search_space": MemoryDataset(SEARCH_SPACE),
            "params:costs": MemoryDataset(CostsParameters.model_validate({"latency": latency or QUICK})),
            "params:search": MemoryDataset(SearchParameters.model_validate({"budgets": budgets})),
            "params:seed": MemoryDataset(0),
            "params:table": MemoryDataset(None),
            **tables,
        }
    )
    outputs = SequentialRunner().run(create_pipeline(), catalog)
    return {name: dataset.load() for name, dataset in (outputs | tables).items()}


def test_the_stage_prices_the_space_and_the_budgets(run):
    outputs = run({"small": {"max_macs": "50%"}, "fast": {"max_latency_ms": 100.0, "min_params": 10}})
    space = make_space(SPACE, DESCRIPTION.input_shape, 2)
    summary = outputs["space_summary"]
    assert (summary["size"], summary["networks"], summary["positions"]) == (18, 14, 3)
    assert space.parse([summary["example"]]).shape == (1, 3)
    costs = costs_of(space, space.enumerate_networks(0, 14), None, outputs["latency_table"])
    feasibility = outputs["feasibility"].set_index(["budget", "cost"])
    macs = feasibility.loc[("small", "macs")]
    assert (macs["least"], macs["most"]) == (costs["macs"].min(), costs["macs"].max())
    assert macs["limit"] == (macs["least"] + macs["most"]) / 2
    assert feasibility.loc[("fast", "latency_ms"), "least"] == costs["predicted_latency_ms"].min()
    assert feasibility["feasible"].all()
    assert outputs["budgets_checked"] == {"feasible": True}
    assert len(outputs["latency_check"]) == 2
    assert np.isfinite(outputs["latency_table"]["latency_ms"]).all()


def test_an_impossible_budget_stops_the_run(run):
    with pytest.raises(
        ArchatlasError, match=r"`search.budgets.tiny.max_macs` .* 7 MACs, but the networks of the space"
    ):
        run({"tiny": {"max_macs": 7}, "small": {"max_macs": "50%"}})


def test_without_latency_only_counted_costs_are_bounded(run):
    outputs = run({"small": {"max_params": "50%"}}, latency={"source": "none"})
    assert outputs["latency_table"].empty
    assert outputs["latency_check"].empty
    with pytest.raises(ArchatlasError, match=r"there is no latency table. Set `costs.latency.source`"):
        run({"fast": {"max_latency_ms": 1.0}}, latency={"source": "none"})


def test_a_latency_is_of_the_machine_and_of_the_gpu_that_it_was_measured_on(monkeypatch):
    monkeypatch.setattr("archatlas.costs.measure_latency.gpu_name", lambda: "H1")
    on = {device: {"costs": {"latency": {"device": device}}} for device in ("cpu", "cuda")}
    assert timed_on(on["cpu"]) == machine()
    assert timed_on(on["cuda"]) == [*machine(), "H1"]
    for timing in (measure_latency, measure_finalists, draw_comparisons):
        assert dependencies_of(timing).states == (timed_on,)


@pytest.mark.parametrize("stage", ["measure_costs", "export", "latency_kit"])
def test_wiring_loads_nothing_heavy_and_every_annotation_resolves(stage, repository):
    code = (
        f"import sys, typing; from archatlas.pipelines.{stage}.pipeline import create_pipeline; "
        "found = [typing.get_type_hints(node.func) for node in create_pipeline().nodes]; "
        "heavy = {'torch', 'sklearn', 'onnx', 'onnxruntime', 'plotly', 'lightgbm', 'optuna', 'datasets'}; "
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    environment = os.environ | {"PYTHONPATH": str(repository / "src")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
