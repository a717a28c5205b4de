from __future__ import annotations

from pathlib import Path

import pytest
import torch

from archatlas.images.dataset import ImageSplit
from archatlas.images.description import ImageDescription
from archatlas.images.parameters import AugmentationParameters
from archatlas.spaces.chain import ChainSpace
from archatlas.storage.work_store import WorkStore
from archatlas.supernet.make import load_supernet
from archatlas.supernet.parameters import SupernetParameters
from archatlas.supernet.train import train_supernets
from archatlas.training.parameters import DeviceParameters, TrainingParameters


@pytest.mark.parametrize("strategy", ["uniform", "fair", "sandwich"])
def test_a_super_network_per_seed(
    tmp_path: Path, space: ChainSpace, images: ImageSplit, description: ImageDescription, strategy: str
) -> None:
    parameters = SupernetParameters(
        strategy=strategy,
        training=TrainingParameters(epochs=3, batch_size=16),
        augmentation=AugmentationParameters(shift=1),
    )
    supernets, curves = train_supernets(
        space,
        images,
        description,
        parameters=parameters,
        device=DeviceParameters(accelerator="cpu"),
        seed=0,
        work=WorkStore(tmp_path),
    )
    assert list(supernets) == ["seed_0", "seed_1"]
    assert list(curves.columns) == ["seed", "epoch", "loss", "accuracy", "learning_rate"]
    assert curves["seed"].tolist() == [0, 0, 0, 1, 1, 1]
    assert curves["epoch"].tolist() == [1, 2, 3, 1, 2, 3]
    assert curves.groupby("seed")["loss"].apply(lambda loss: loss.iloc[-1] < loss.iloc[0]).all()
    one, other = (load_supernet(space, state) for state in supernets.values())
    assert not torch.equal(one.stem[0].weight, other.stem[0].weight)
    assert len(list(tmp_path.glob("training-*/checkpoint.safetensors"))) == 2
