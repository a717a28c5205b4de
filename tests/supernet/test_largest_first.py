from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from pydantic import ValidationError

from archatlas.errors import ArchatlasError
from archatlas.images.dataset import ImageSplit
from archatlas.images.description import ImageDescription
from archatlas.spaces.chain import ChainSpace
from archatlas.spaces.chain_parts import Operation, Stage
from archatlas.spaces.presets import preset
from archatlas.spaces.protocol import SearchSpace
from archatlas.storage.work_store import WorkStore
from archatlas.supernet.largest_first import begin_as_slices, slices_of
from archatlas.supernet.make import make_supernet
from archatlas.supernet.parameters import SupernetParameters
from archatlas.supernet.train import train_supernets
from archatlas.training.checkpoint import Checkpoint, save_checkpoint
from archatlas.training.parameters import DeviceParameters, TrainingParameters


@pytest.fixture
def space() -> ChainSpace:
    """A position that changes the width, and one that does not."""
    operations = tuple(Operation.parse(name) for name in ("k3e1", "k3e2", "k5e3", "skip"))
    return ChainSpace("slices", (1, 8, 8), 3, 4, (Stage(6, 2, 1),), operations, head_width=8)


def test_blocks_become_slices_of_the_largest_and_all_else_stays(space: ChainSpace) -> None:
    supernet = make_supernet(space, torch.Generator().manual_seed(0))
    before = {name: tensor.clone() for name, tensor in supernet.state_dict().items()}
    begin_as_slices(slices_of(supernet, (2, 2)))
    changed = {name for name, tensor in supernet.state_dict().items() if not torch.equal(tensor, before[name])}
    # k3e2 alone, choice 1 of either position; norms are alike at first.
    assert {name.split(".layers.")[0] for name in changed} == {"blocks.0.1", "blocks.1.1"}
    small, large = (supernet.block(0, choice).state_dict() for choice in (1, 2))
    depthwise, project = "layers.1.0.weight", "layers.2.0.weight"
    best = large[project].abs().sum(dim=(0, 2, 3)).argsort(descending=True)[:8]
    assert torch.equal(small[project], large[project][:, best])
    assert torch.equal(small[depthwise], large[depthwise][best, :, 1:4, 1:4])


def train(space: SearchSpace, images: ImageSplit, description: ImageDescription, work: WorkStore, **how: Any) -> Any:
    training = TrainingParameters(epochs=2, batch_size=16)
    return train_supernets(
        space,
        images,
        description,
        parameters=SupernetParameters(seeds=1, training=training, **how),
        device=DeviceParameters(accelerator="cpu"),
        seed=0,
        work=work,
        progress=False,
    )


def test_the_largest_path_learns_first_and_alone(
    space: ChainSpace, images: ImageSplit, description: ImageDescription, tmp_path: Path
) -> None:
    supernets, curves = train(space, images, description, WorkStore(tmp_path), largest_first_epochs=3)
    assert curves["epoch"].tolist() == [1, 2, 3, 4, 5]
    assert curves["seed"].tolist() == [0] * 5
    # Each part has a warm-up and a cosine of its own.
    assert curves["learning_rate"].iloc[2] < curves["learning_rate"].iloc[3]
    again, _ = train(space, images, description, WorkStore(tmp_path / "again"), largest_first_epochs=3)
    assert all(torch.equal(tensor, again["seed_0"][name]) for name, tensor in supernets["seed_0"].items())
    # Both parts are kept: what ended is not trained again.
    made = {file: file.stat().st_mtime_ns for file in tmp_path.glob("training-*/checkpoint.safetensors")}
    assert len(made) == 2
    train(space, images, description, WorkStore(tmp_path), largest_first_epochs=3)
    assert {file: file.stat().st_mtime_ns for file in made} == made


@pytest.mark.parametrize(("stopped_in", "epoch"), [(1, 1), (2, 1)], ids=["the largest path's", "the others'"])
def test_a_training_that_was_stopped_goes_on_to_the_same_weights(
    space: ChainSpace,
    images: ImageSplit,
    description: ImageDescription,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stopped_in: int,
    epoch: int,
) -> None:
    how = {"largest_first_epochs": 2, "image_sizes": [4]}
    whole, expected = train(space, images, description, WorkStore(tmp_path / "whole"), **how)

    def stop(store: WorkStore, checkpoint: Checkpoint) -> None:
        save_checkpoint(store, checkpoint)
        if len(list(tmp_path.glob("stopped/training-*"))) == stopped_in and len(checkpoint.curve) == epoch:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("archatlas.training.loop.save_checkpoint", stop)
        with pytest.raises(KeyboardInterrupt):
            train(space, images, description, WorkStore(tmp_path / "stopped"), **how)
    resumed, curves = train(space, images, description, WorkStore(tmp_path / "stopped"), **how)
    pd.testing.assert_frame_equal(curves, expected)
    assert all(torch.equal(tensor, resumed["seed_0"][name]) for name, tensor in whole["seed_0"].items())


def test_where_no_two_blocks_expand_there_are_no_slices(
    images: ImageSplit, description: ImageDescription, tmp_path: Path
) -> None:
    operations = tuple(Operation.parse(name) for name in ("k3e1", "k3e2", "skip"))
    flat = ChainSpace("flat", (1, 8, 8), 3, 4, (Stage(6, 2, 1),), operations, head_width=8)
    with pytest.raises(ArchatlasError, match=r"at no position do two choices expand.*leave it at 0"):
        train(flat, images, description, WorkStore(tmp_path), largest_first_epochs=2)
    assert not list(tmp_path.glob("training-*"))


def test_the_largest_path_has_epochs_beyond_its_warm_up() -> None:
    with pytest.raises(
        ValidationError, match=r"`largest_first_epochs` is 1, all of which `training.warmup_epochs` = 1"
    ):
        SupernetParameters(largest_first_epochs=1)
    assert SupernetParameters(largest_first_epochs=2).largest_first_epochs == 2


def test_only_chains_have_a_largest_path(images: ImageSplit, description: ImageDescription, tmp_path: Path) -> None:
    cells = preset("nas_bench_201", (1, 8, 8), 3)
    with pytest.raises(ArchatlasError, match=r"largest_first_epochs` trains the largest path.*no chain: leave it at 0"):
        train(cells, images, description, WorkStore(tmp_path), largest_first_epochs=2)
