"""The project's catalog: what a run makes is versioned, what it works in is not, and no misspelt name passes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from kedro.config import OmegaConfigLoader
from kedro.io import AbstractVersionedDataset, DataCatalog

from archatlas.pipeline_registry import STAGES, register_pipelines

WORK_FOLDERS = {"work_folder", "run_records", "current_results"}
OF_METHODS = ("candidates_of_", "front_of_", "constraints_of_")
INPUTS = {*WORK_FOLDERS, "experiments"}


@pytest.fixture(scope="module")
def config(repository: Path) -> dict[str, Any]:
    loader = OmegaConfigLoader(
        str(repository / "conf"), base_env="base", default_run_env="local", runtime_params={"experiment": "mine"}
    )
    entries: dict[str, Any] = loader["catalog"]
    return entries


@pytest.fixture(scope="module")
def catalog(config: dict[str, Any]) -> DataCatalog:
    """With what each segment makes, which entries with a placeholder describe, written out."""
    whole = DataCatalog.from_config(config, save_version="v1")
    for name in sorted(repeated()):
        whole.get(name)
    return whole


def repeated() -> set[str]:
    """Data sets in the namespaces of segments and methods."""
    pipelines = register_pipelines()
    made = {name for one in ("segments", "methods", "search") for name in pipelines[one].all_outputs()}
    return {name for name in made if name.startswith(("segments.", "visited_by_", *OF_METHODS))}


def test_what_nodes_make_is_in_the_catalog_and_versioned(catalog: DataCatalog) -> None:
    made = {name for pipeline in register_pipelines().values() for name in pipeline.all_outputs()}
    assert set(catalog) == made | INPUTS | {"manifest"}
    for name in set(catalog) - INPUTS:
        dataset = catalog[name]
        assert isinstance(dataset, AbstractVersionedDataset), name
        assert dataset.resolve_save_version() == "v1", name


def test_placeholders_stand_for_the_number_of_a_segment_only_so_that_no_misspelt_name_matches(
    config: dict[str, Any], catalog: DataCatalog
) -> None:
    patterns = {name for name in config if "{" in name}
    written_out = {with_placeholder(name) for name in repeated()}
    assert patterns == written_out
    assert "segments.segment_1.super_cell" not in catalog
    assert "super_cells" not in catalog


def test_volatile_is_what_tells_of_runs_and_not_of_results(catalog: DataCatalog) -> None:
    volatile = {name for name in catalog if (catalog[name].metadata or {}).get("incremental") == "volatile"}
    assert volatile == WORK_FOLDERS | {"manifest"}


def test_every_result_has_its_layer_and_a_place_of_its_own_in_the_experiment(
    catalog: DataCatalog, config: dict[str, Any]
) -> None:
    results = set(catalog) - INPUTS
    assert all(catalog[name].metadata["kedro-viz"]["layer"] for name in results)
    places = {name: PurePosixPath(filepath(config, name)) for name in catalog}
    assert {place.parts[0] for place in places.values()} == {"data"}
    assert {(place.parts[2], len(place.parts)) for name, place in places.items() if name in results} == {("mine", 4)}
    assert {places[name].as_posix() for name in WORK_FOLDERS} == {
        f"data/{name}/mine" for name in ("work", "records", "current")
    }
    # Links to the current results lie in one folder.
    assert max(Counter(place.name for name, place in places.items() if name in results).values()) == 1


def test_layers_have_an_order_so_that_kedro_viz_draws_them(catalog: DataCatalog) -> None:
    after: dict[str, set[str]] = {}
    for node in register_pipelines()["__default__"].nodes:
        given = {layer(catalog, name) for name in node.inputs if name in catalog} - {None}
        for made in {layer(catalog, name) for name in node.outputs}:
            after.setdefault(made, set()).update(given - {made})
    assert next(iter(TopologicalSorter(after).static_order())) == "images"


def layer(catalog: DataCatalog, name: str) -> str:
    found: str = (catalog[name].metadata or {}).get("kedro-viz", {}).get("layer")
    return found


def test_stages_of_several_nodes_fold_and_no_other(catalog: DataCatalog) -> None:
    for stage in STAGES:
        nodes = register_pipelines()[stage].nodes
        assert {node.namespace for node in nodes} == {stage if len(nodes) > 1 else None}


def filepath(config: dict[str, Any], name: str) -> str:
    given = re.search(
        r"(?:segment_(?=\d)|^visited_by_|^candidates_of_|^front_of_|^constraints_of_)(\w+?)(?:\.|$)", name
    )
    return re.sub(r"\{\w+\}", given.group(1) if given else "", str(config[with_placeholder(name)]["filepath"]))


def with_placeholder(name: str) -> str:
    """The catalog's entry for a data set of a segment or a method."""
    return re.sub(
        r"^(visited_by|candidates_of|front_of|constraints_of)_\w+",
        r"\1_{method}",
        re.sub(r"segment_\d+", "segment_{number}", name),
    )


def test_making_all_of_the_catalog_imports_no_heavy_library(config: dict[str, Any], repository: Path) -> None:
    code = (
        "import json, sys; from kedro.io import DataCatalog; "
        "catalog = DataCatalog.from_config(json.load(sys.stdin)); print(len([catalog[name] for name in catalog])); "
        "heavy = {'torch', 'pandas', 'pyarrow', 'plotly', 'safetensors'} & set(sys.modules); assert not heavy, heavy"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(config),
        env=os.environ | {"PYTHONPATH": str(repository / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 40
