from __future__ import annotations

import dataclasses
import json
import runpy
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from archatlas.kedro_ext.optional_inputs import reduced
from archatlas.pipelines.report.nodes import IF_MADE, PAGE_FROM, RUN_DATA
from archatlas.pipelines.report.pipeline import create_pipeline
from archatlas.reporting.parameters import ReportParameters
from archatlas.reporting.run import Run
from archatlas.spaces.search_space import SearchSpaceDocument

MAKERS = runpy.run_path(str(Path(__file__).resolve().parents[1] / "reporting" / "conftest.py"))


@pytest.fixture(scope="module")
def outputs() -> dict[str, Any]:
    """The report pipeline run by Kedro on a small stand-in for a finished run."""
    data = MAKERS["make_run_data"](800, audit_networks=12)
    parameters = {"experiment": "digits", "seed": 3, "report": {"atlas_bins": 20}}
    inputs = {
        **{name: value for name, value in data.items() if name != "signals"},
        "parameters": parameters,
        "params:experiment": "digits",
        "params:seed": 3,
        "search_space": SearchSpaceDocument(space=MAKERS["SPACE"], input_shape=(1, 8, 8), num_classes=10).document(),
        "finishing_trainings": pd.DataFrame(),
        "schedule": {},
        "params:table": None,
        "params:truth": None,
        "params:report": ReportParameters(atlas_bins=20),
    }
    catalog = DataCatalog({name: MemoryDataset(value) for name, value in inputs.items()})
    return {
        name: dataset.load()
        for name, dataset in SequentialRunner().run(reduced(create_pipeline(), inputs.__contains__), catalog).items()
    }


def test_all_outputs_are_made(outputs: dict[str, Any]) -> None:
    assert set(outputs) == {
        "report_html", "metrics", "figure_atlas", "figure_rank_correlation", "figure_learning_curves",
        "figure_choice_importance",
    }  # fmt: skip
    assert outputs["report_html"].startswith("<!doctype html>")
    assert outputs["metrics"]["signals"] == []
    assert outputs["metrics"]["atlas"]["rows"] == 800
    assert len(outputs["figure_atlas"].data[0].z) == 20
    assert json.loads(outputs["figure_learning_curves"].to_json())["layout"]["template"]


def test_the_page_is_given_every_field_of_a_run() -> None:
    others = {"parameters", "experiment", "seed", "space", "report"}
    assert {*RUN_DATA, *IF_MADE, *PAGE_FROM} == {field.name for field in dataclasses.fields(Run)} - others


def test_nodes_are_named_after_verbs_and_need_no_other_but_signals() -> None:
    pipeline = create_pipeline()
    assert {node.name for node in pipeline.nodes} == {
        "draw_atlas", "draw_rank_correlation", "draw_learning_curves", "draw_choice_importance", "collect_signals",
        "write_metrics", "write_report",
    }  # fmt: skip
    assert not pipeline.outputs() & pipeline.inputs()
