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
from archatlas.training.fabric import cpu_shares
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


def test_side_by_side_or_one_after_the_other_is_the_same(
    tmp_path: Path, space: ChainSpace, images: ImageSplit, description: ImageDescription
) -> None:
    parameters = SupernetParameters(seeds=3, training=TrainingParameters(epochs=2, batch_size=16))

    def trained(work: WorkStore, **device: int) -> dict[str, dict[str, torch.Tensor]]:
        asked = DeviceParameters(accelerator="cpu", **device)
        given = (space, images, description)
        return train_supernets(*given, parameters=parameters, device=asked, seed=0, work=work, progress=False)[0]

    alone = trained(WorkStore(tmp_path / "alone"), threads=1)
    before = torch.get_num_threads()
    beside = trained(WorkStore(tmp_path / "beside"), threads=2, workers=2)  # A thread each.
    assert torch.get_num_threads() == before
    assert list(beside) == ["seed_0", "seed_1", "seed_2"]
    for name, state in alone.items():
        assert all(torch.equal(tensor, beside[name][part]) for part, tensor in state.items())
    made = {path: path.stat().st_mtime_ns for path in (tmp_path / "beside").glob("training-*/checkpoint.safetensors")}
    assert len(made) == 3
    trained(WorkStore(tmp_path / "beside"), threads=6)  # Shared out otherwise, and nothing is trained again.
    assert {path: path.stat().st_mtime_ns for path in made} == made


@pytest.mark.parametrize(
    ("device", "shares"),
    [
        ({"threads": 2}, (2, 1)),
        ({"threads": 8}, (3, 2)),
        ({"threads": 8, "workers": 2}, (2, 4)),
        ({"threads": 1}, (1, 1)),
        ({"threads": 8, "devices": 2}, (1, 0)),
    ],
)
def test_super_networks_share_the_threads(device: dict[str, int], shares: tuple[int, int]) -> None:
    assert cpu_shares(DeviceParameters(accelerator="cpu", **device), jobs=3) == shares
