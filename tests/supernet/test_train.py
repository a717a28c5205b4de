from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from archatlas.engines.engine import Shares
from archatlas.errors import ArchatlasError
from archatlas.images.dataset import ImageSplit
from archatlas.images.description import ImageDescription
from archatlas.images.parameters import AugmentationParameters
from archatlas.images.shrinking import shrink
from archatlas.spaces.chain import ChainSpace
from archatlas.storage.work_store import WorkStore
from archatlas.supernet.make import load_supernet
from archatlas.supernet.parameters import SupernetParameters
from archatlas.supernet.train import train_supernets
from archatlas.training.fabric import shares_of
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


def test_super_networks_take_the_sizes_of_images_in_turn(
    tmp_path: Path, space: ChainSpace, images: ImageSplit, description: ImageDescription
) -> None:
    def trained(images: ImageSplit, description: ImageDescription, **how: Any) -> dict[str, dict[str, torch.Tensor]]:
        return train_supernets(
            space,
            images,
            description,
            parameters=SupernetParameters(training=TrainingParameters(epochs=1, batch_size=16), **how),
            device=DeviceParameters(accelerator="cpu", threads=1),
            seed=0,
            work=WorkStore(tmp_path),
            progress=False,
        )[0]

    shift = {"augmentation": AugmentationParameters(shift=2)}
    found = trained(images, description, seeds=3, image_sizes=[8, 4], **shift)
    assert [int(state["image_size"]) for state in found.values()] == [8, 4, 8]
    assert all(state["image_size"].shape == () for state in found.values())
    # The second is what it would be if all images had been prepared so small.
    shrunk = ImageSplit(shrink(images.images, 4), images.labels)
    small = {"seeds": 2, "augmentation": AugmentationParameters(shift=1)}
    expected = trained(shrunk, description.model_copy(update={"image_size": 4}), **small)["seed_1"]
    expected["image_size"].fill_(4)
    assert all(torch.equal(tensor, expected[name]) for name, tensor in found["seed_1"].items())


@pytest.mark.parametrize(
    ("sizes", "problem"),
    [
        ([], "sizes of at least 4 pixels, or null, but is \\[\\]"),
        ([3], "at least 4 pixels, or null, but is \\[3\\]"),
        ([8, 4, 8], "has 3 sizes, but `seeds` asks for 2 super-networks"),
    ],
)
def test_sizes_of_images_that_cannot_be(sizes: list[int], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        SupernetParameters(seeds=2, image_sizes=sizes)  # type: ignore[arg-type]


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
        ({"threads": 1}, (1, 1, True)),
        ({"threads": 8, "devices": 2}, (1, 0, True)),
    ],
)
def test_super_networks_share_the_threads(device: dict[str, int], shares: tuple[Any, ...]) -> None:
    assert shares_of(DeviceParameters(accelerator="cpu", **device), jobs=3) == Shares(*shares)


def test_a_super_network_that_diverges_is_named(
    space: ChainSpace, images: ImageSplit, description: ImageDescription
) -> None:
    training = TrainingParameters(epochs=12, batch_size=16, learning_rate=100, weight_decay=1, warmup_epochs=0)
    with pytest.raises(ArchatlasError, match=r"super-network 1 of 1: training diverged: .* \(`supernet\.training`\)"):
        train_supernets(
            space,
            images,
            description,
            parameters=SupernetParameters(seeds=1, training=training),
            device=DeviceParameters(accelerator="cpu", threads=1),
            seed=0,
            work=None,
            progress=False,
        )
