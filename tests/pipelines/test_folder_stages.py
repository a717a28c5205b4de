"""The stages that give a folder: what they leave in the catalog, and what a killed run has left is no part of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline
from kedro.runner import SequentialRunner

import archatlas
from archatlas.costs.parameters import CostsParameters
from archatlas.images.description import ImageDescription
from archatlas.kedro_ext.datasets import FolderDataset
from archatlas.pipelines.export.pipeline import create_pipeline as export
from archatlas.pipelines.latency_kit.pipeline import create_pipeline as latency_kit
from archatlas.spaces.parameters import SpaceParameters
from archatlas.spaces.presets import make_space
from archatlas.spaces.search_space import SearchSpaceDocument
from archatlas.supernet.make import make_supernet
from archatlas.verification.export_parameters import ExportParameters

PARAMETERS = SpaceParameters.model_validate(
    {"stem_width": 4, "stages": [{"width": 4, "depth": 1}], "choices": ["k3e1", "k5e1"], "head_width": 0}
)


@pytest.fixture
def run(tmp_path: Path, description: ImageDescription) -> Any:
    """Runs a stage; gives its catalog."""

    def run_stage(stage: Pipeline, folder: str, inputs: dict[str, Any]) -> DataCatalog:
        given = {
            "image_description": description.model_dump(mode="json"),
            "search_space": SearchSpaceDocument(
                space=PARAMETERS, input_shape=description.input_shape, num_classes=description.num_classes
            ).document(),
            "work_folder": tmp_path / "work",
            **inputs,
        }
        catalog = DataCatalog({name: MemoryDataset(data, copy_mode="assign") for name, data in given.items()})
        catalog[folder] = FolderDataset(filepath=str(tmp_path / "data" / folder))
        catalog[next(iter(stage.outputs() - {folder}))] = MemoryDataset()
        SequentialRunner().run(stage, catalog)
        return catalog

    return run_stage


def leave(work: Path, *names: str) -> None:
    for name in names:
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text("of a killed run")


def test_a_latency_kit_holds_what_its_summary_names(run: Any, tmp_path: Path) -> None:
    leave(tmp_path / "work", "latency_kit/part_099.onnx")
    catalog = run(latency_kit(), "latency_kit", {})
    kit, summary = catalog.load("latency_kit"), catalog.load("latency_kit_summary")
    assert kit == tmp_path / "data" / "latency_kit"
    assert sorted(file.name for file in kit.iterdir()) == sorted(summary["files"])
    assert summary["parts"] == 4
    assert list((tmp_path / "work").iterdir()) == []


def test_exported_networks_lie_in_folders_named_by_budget(
    run: Any, tmp_path: Path, description: ImageDescription
) -> None:
    leave(tmp_path / "work", "export/gone/network.json", "export/small/network.onnx")
    space = make_space(PARAMETERS, description.input_shape, description.num_classes)
    supernet = make_supernet(space, torch.Generator().manual_seed(0)).eval()
    name = str(space.names(space.enumerate_networks(0, 1))[0])
    weights = supernet.extract(space.parse([name])[0].tolist()).state_dict()
    catalog = run(
        export(),
        "networks",
        {
            "finished_winners": [
                {"budget": "small", "status": "found", "architecture": name},
                {"budget": "gone", "status": "none", "architecture": None, "reason": "too slow"},
            ],
            "winner_weights": {"small": lambda: weights},
            "supernets": {"seed_0": supernet.state_dict},
            "train_images": {"images": torch.zeros(0, *description.input_shape, dtype=torch.uint8)},
            "params:export": ExportParameters(),
            "params:costs": CostsParameters(),
            "params:seed": 0,
            "params:table": None,
            "params:truth": None,
        },
    )
    networks, summary = catalog.load("networks"), catalog.load("export_summary")
    assert sorted(path.relative_to(networks).as_posix() for path in networks.rglob("*.*")) == [
        "small/network.json", "small/network.onnx", "small/network.safetensors", "small/predict.py",
    ]  # fmt: skip
    assert sorted(summary["budgets"]["small"]["files"]) == [
        "small/network.json", "small/network.onnx", "small/network.safetensors", "small/predict.py",
    ]  # fmt: skip
    assert archatlas.load_network(networks / "small").class_names == description.class_names
    assert list((tmp_path / "work").iterdir()) == []
