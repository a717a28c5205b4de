from __future__ import annotations

import json
import re
import runpy
from pathlib import Path

import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from archatlas.errors import ArchatlasError
from archatlas.kedro_ext.experiments import ExperimentsDataset
from archatlas.pipelines.compare_experiments.pipeline import create_pipeline
from archatlas.reporting.parameters import CompareParameters

Store = runpy.run_path(str(Path(__file__).resolve().parents[1] / "reporting" / "test_comparison.py"))["Store"]


def compare(project: Path, *names: str) -> str:
    """The page that the pipeline makes of the manifests in ``project``."""
    experiments = ExperimentsDataset(filepath=f"{project}/data/*/manifest.json", outputs=["metrics", "pareto_front"])
    inputs = {"experiments": experiments, "params:compare": MemoryDataset(CompareParameters(experiments=names))}
    page = SequentialRunner().run(create_pipeline(), DataCatalog(inputs))["comparison_html"].load()
    return str(page)


def title(page: str) -> str:
    return re.findall("<title>(.*)</title>", page)[0]


def finish(project: Path, name: str) -> None:
    """A run of the experiment ends."""
    store = Store(project)
    store.add(name)
    path = f"data/{name}/manifest.json/S/manifest.json"
    (project / path).parent.mkdir(parents=True)
    (project / path).write_text(json.dumps({**store.manifests[name], "status": "finished", "path": path}))


def test_all_experiments_are_compared_or_those_that_are_named_in_their_order(tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        finish(tmp_path, name)
    assert title(compare(tmp_path)) == "one, three and two, compared"
    assert title(compare(tmp_path, "two", "one")) == "two and one, compared"


def test_one_is_not_enough(tmp_path: Path) -> None:
    finish(tmp_path, "one")
    with pytest.raises(ArchatlasError, match="only `one`"):
        compare(tmp_path)
