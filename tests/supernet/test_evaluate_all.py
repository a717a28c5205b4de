from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from archatlas.images.dataset import ImageSplit
from archatlas.images.description import ImageDescription
from archatlas.spaces.chain import ChainSpace
from archatlas.storage.work_store import WorkStore
from archatlas.supernet.evaluate import evaluate_subnets
from archatlas.supernet.evaluate_all import evaluate_on_all
from archatlas.supernet.make import make_supernet
from archatlas.supernet.parameters import EvaluationParameters
from archatlas.training.parameters import DeviceParameters


@pytest.mark.parametrize("workers", [1, 2])
def test_each_super_network_scores_as_it_does_alone(
    space: ChainSpace, images: ImageSplit, description: ImageDescription, tmp_path: Path, workers: int
) -> None:
    rows = space.sample(6, np.random.default_rng(0))
    supernets = {number: make_supernet(space, torch.Generator().manual_seed(number)) for number in (4, 1)}
    common = {
        "train": images,
        "validation": images.subset(torch.arange(47)),
        "description": description,
        "parameters": EvaluationParameters(calibration_images=20, calibration_batch=10, validation_batch=16),
        "images_seed": 5,
    }
    alone = DeviceParameters(accelerator="cpu", threads=1)
    work = WorkStore(tmp_path)
    runs = evaluate_on_all(
        {number: supernet.state_dict() for number, supernet in supernets.items()}, space, rows,
        **common, device=DeviceParameters(accelerator="cpu", threads=2, workers=workers), work=work, progress=False,
    )  # fmt: skip
    for run, number in zip(runs, (1, 4), strict=True):
        expected = evaluate_subnets(supernets[number], space, rows, **common, device=alone, seed=number, work=None)
        pd.testing.assert_frame_equal(run.table, expected.table)
        assert run.seconds > 0
    assert any(tmp_path.rglob("part_*"))
