from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pytest
import torch
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from archatlas.costs.counting import count_parts
from archatlas.images.description import ImageDescription
from archatlas.pipelines.evaluate_subnets.pipeline import create_pipeline as evaluate_subnets
from archatlas.pipelines.sample_architectures.pipeline import create_pipeline as sample_architectures
from archatlas.pipelines.train_supernet.pipeline import create_pipeline as train_supernet
from archatlas.spaces.chain_parameters import ChainParameters
from archatlas.spaces.parameters import StageParameters
from archatlas.spaces.presets import make_space
from archatlas.spaces.search_space import SearchSpaceDocument
from archatlas.supernet.parameters import EvaluationParameters, SampleParameters, SupernetParameters
from archatlas.training.parameters import DeviceParameters, TrainingParameters

SPACE = ChainParameters(stem_width=4, stages=(StageParameters(width=4, depth=2), StageParameters(width=6, depth=1)))
STAGES = ("train_supernet", "sample_architectures", "evaluate_subnets")


def run_stages(work: Path, whole_space: Literal["none", "networks", "architectures"] = "none") -> dict[str, Any]:
    generator = torch.Generator().manual_seed(0)
    images = {
        "images": torch.randint(0, 256, (40, 1, 8, 8), generator=generator, dtype=torch.uint8),
        "labels": torch.arange(40) % 2,
    }
    description = ImageDescription(
        class_names=("even", "odd"), channels=1, image_size=8, mean=(0.5,), std=(0.3,), splits={}, source="test"
    )
    inputs: dict[str, Any] = {
        "train_images": images,
        "validation_images": images,
        "image_description": description.model_dump(mode="json"),
        "class_counts": pd.DataFrame({"split": "validation", "class_name": ["even", "odd"], "images": 20}),
        "budgets_checked": {"feasible": True},
        "sizes_checked": {"fit": True},
        "cost_table": count_parts(make_space(SPACE, description.input_shape, 2)),
        "search_space": SearchSpaceDocument(space=SPACE, input_shape=description.input_shape, num_classes=2).document(),
        "params:supernet": SupernetParameters(training=TrainingParameters(epochs=2, batch_size=20)),
        "params:sample": SampleParameters(architectures=9),
        "params:evaluation": EvaluationParameters(
            calibration_images=20, calibration_batch=20, part_size=4, whole_space=whole_space
        ),
        "params:device": DeviceParameters(accelerator="cpu"),
        "params:seed": 5,
        "params:table": None,
        "supernet_schedule": {},
        "sample_schedule": {},
        "work_folder": work,
    }
    catalog = DataCatalog({name: MemoryDataset(value, copy_mode="assign") for name, value in inputs.items()})
    made = SequentialRunner().run(train_supernet() + sample_architectures(), catalog)
    tables = {name: dataset.load() for name, dataset in made.items()}
    # As a partitioned data set hands them over.
    tables["supernets"] = {name: partial(dict, state) for name, state in tables["supernets"].items()}
    for name, table in tables.items():
        catalog[name] = MemoryDataset(table, copy_mode="assign")
    made = SequentialRunner().run(evaluate_subnets(), catalog)
    return tables | {name: dataset.load() for name, dataset in made.items()}


def test_from_images_to_evaluations(tmp_path: Path) -> None:
    made = run_stages(tmp_path / "one")
    evaluations, sample = made["evaluations"], made["sampled_architectures"]
    assert len(sample) == 9
    assert len(evaluations) == 9 * 2 * 2
    assert evaluations["architecture"].drop_duplicates().tolist() == sample["architecture"].tolist()
    assert evaluations.groupby(["seed", "half"]).size().tolist() == [9, 9, 9, 9]
    assert made["evaluation_speed"]["architectures"] == 18
    assert made["evaluation_speed"]["architectures_per_second"] > 0
    again = run_stages(tmp_path / "two")
    for name in ("evaluations", "sampled_architectures", "supernet_curves"):
        pd.testing.assert_frame_equal(again[name], made[name])


def test_super_networks_that_learned_nothing_are_told_of_when_they_are_evaluated(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = run_stages(tmp_path)  # images are noise
    mean = made["evaluations"]["accuracy"].mean()
    (said,) = [line for line in caplog.messages if line.startswith("evaluate_subnets")]
    assert said.startswith(f"evaluate_subnets, supernet_near_majority (broken): Subnets name {100 * mean:.1f}%")
    assert "would name 50.0% (± 7.9% by 40 images)" in said


def test_the_whole_space_beside_the_sample(tmp_path: Path) -> None:
    alone, made = run_stages(tmp_path / "alone"), run_stages(tmp_path / "all", "architectures")
    assert len(alone["space_evaluations"]) == 0
    # Whatever else is evaluated, predictors get the sample's scores in the sample's order, to the last bit.
    pd.testing.assert_frame_equal(made["evaluations"], alone["evaluations"])
    space = make_space(SPACE, (1, 8, 8), 2)
    every = made["space_evaluations"]
    assert every["architecture"].nunique() == space.size
    assert every["network"].nunique() == space.networks
    assert len(every) == space.size * 2 * 2
    assert list(every.columns) == list(made["evaluations"].columns) == list(alone["space_evaluations"].columns)
    assert made["evaluation_speed"]["architectures"] == 2 * space.size


def test_wiring_loads_nothing_heavy() -> None:
    imports = "".join(f"import archatlas.pipelines.{stage}.pipeline\n" for stage in STAGES)
    heavy = "print([name for name in ('torch', 'lightning_fabric', 'sklearn') if name in sys.modules])"
    answer = subprocess.run(
        [sys.executable, "-c", f"import sys\n{imports}{heavy}"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")},
    )
    assert answer.stdout.strip() == "[]"
