"""The pipeline detection, node by node, on images of three classes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from archatlas.detection.judging import PRECISIONS
from archatlas.detection.parameters import DetectionParameters
from archatlas.errors import ArchatlasError
from archatlas.images.dataset import ImageSplit
from archatlas.images.description import ImageDescription
from archatlas.pipeline_registry import register_pipelines
from archatlas.pipelines.detection.nodes import choose_backbones, judge_detectors, make_scenes, train_detectors
from archatlas.spaces.parameters import SpaceParameters
from archatlas.spaces.search_space import SearchSpaceDocument
from archatlas.spaces.tables.parameters import TableParameters
from archatlas.training.parameters import DeviceParameters
from archatlas.verification.alone import training_seeds
from archatlas.verification.parameters import VerificationParameters
from archatlas.verification.roles import DETECT

SPACE = SpaceParameters.model_validate(
    {"stem_width": 4, "stages": [{"width": 6, "depth": 2, "stride": 2}], "choices": ["k3e1", "k3e2"], "head_width": 0}
)
DETECTION = DetectionParameters.model_validate(
    {
        "seeds": 1,
        "scenes": {"side": 24, "train": 20, "judged": 12, "fewest": 1, "most": 2, "smallest": 8, "largest": 9},
        "width": 8,
        "training": {"epochs": 1, "batch_size": 10},
    }
)
VERIFICATION = VerificationParameters.model_validate({"training": {"epochs": 1, "batch_size": 16}})
WINNERS = [{"budget": "small", "status": "found", "architecture": "k3e1-k3e2", "macs": 9_000, "params": 400}]


def colours(split: dict[str, Any]) -> set[int]:
    return set(split["images"].unique().tolist())


def test_a_winner_and_a_mobilenet_become_detectors_that_are_judged_side_by_side(
    images: ImageSplit, description: ImageDescription, tmp_path: Path
) -> None:
    document = SearchSpaceDocument(
        space=SPACE, input_shape=description.input_shape, num_classes=description.num_classes
    ).document()
    told = description.model_dump(mode="json")
    # Every split has a brightness of its own, which its scenes alone may show.
    splits = [
        {"images": torch.full((9, 1, 8, 8), 50 * at, dtype=torch.uint8), "labels": torch.arange(9) % 3}
        for at in (1, 2, 3)
    ]
    scenes = make_scenes(*splits, DETECTION, seed=0)
    assert [colours(one) for one in scenes] == [{0, 50}, {0, 100}, {0, 150}]
    backbones = choose_backbones(WINNERS, document, DETECTION)
    assert backbones["role"].tolist() == ["winner", "mobilenet"]
    given = (
        backbones, scenes[0], images.to_tensors(), images.to_tensors(), told, document, DETECTION, VERIFICATION,
        DeviceParameters(accelerator="cpu", workers=1), 0, tmp_path,
    )  # fmt: skip
    detectors = train_detectors(*given)
    assert sorted(detectors) == ["mobilenet_0", "winner_0"]
    seeds = {json.loads(file.read_bytes()[:-32])["seed"] for file in tmp_path.rglob("trainings-*/*.json")}
    assert seeds == {*training_seeds(0, 1, DETECT)}
    assert not seeds & {*training_seeds(0, 100)}, "none of the trainings that chose the winner"
    trained = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.safetensors")}
    again = train_detectors(*given)
    assert trained == {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.safetensors")}, "none twice"
    assert all(torch.equal(one, again["winner_0"][name]) for name, one in detectors["winner_0"].items())
    loaded = {name: (lambda state=state: state) for name, state in detectors.items()}
    found, scores, summary = judge_detectors(loaded, backbones, *scenes[1:], told, document, DETECTION)
    assert scores.groupby(["split", "role"]).size().to_dict() == {
        (split, role): 1 for split in ("validation", "test") for role in ("winner", "mobilenet")
    }
    assert scores[PRECISIONS].to_numpy().min() >= 0
    assert set(found["split"]) <= {"validation", "test"}
    ahead, of_roles = summary["test"]["ahead"], [summary["test"][role]["mean"] for role in ("winner", "mobilenet")]
    assert ahead["mean"] == pytest.approx(of_roles[0] - of_roles[1])
    means = scores[scores["split"] == "test"].groupby("role")["map"].mean()
    assert of_roles == pytest.approx([means["winner"], means["mobilenet"]])
    assert summary["backbones"][0]["detector_macs"] > summary["backbones"][0]["macs"]


def test_with_a_public_table_there_is_no_backbone() -> None:
    table = TableParameters.model_validate({"name": "nas_bench_macro", "label": "test"})
    with pytest.raises(ArchatlasError, match="a detector needs a backbone that was trained"):
        choose_backbones(WINNERS, {}, DETECTION, table)


def test_the_test_images_go_into_scenes_alone() -> None:
    readers = [node.name for node in register_pipelines()["detection"].nodes if "test_images" in node.inputs]
    assert readers == ["make_scenes"]
