from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from archatlas.errors import ArchatlasError
from archatlas.images.dataset import ImageSplit
from archatlas.images.description import ImageDescription
from archatlas.networks.resized import at_size
from archatlas.spaces.chain import ChainSpace
from archatlas.spaces.chain_parts import Operation, Stage
from archatlas.spaces.scaled_chains import CHAIN_FROM, ScaledChains
from archatlas.supernet.evaluate import evaluate_subnets
from archatlas.supernet.largest_first import begin_as_slices, largest_paths, slices_of
from archatlas.supernet.make import load_supernet, make_supernet
from archatlas.supernet.parameters import EvaluationParameters, SupernetParameters
from archatlas.supernet.scaled import ScaledSupernet
from archatlas.supernet.strategies.extremes import extreme_paths
from archatlas.supernet.train import train_supernets
from archatlas.supernet.warm_start import begin_with
from archatlas.training.parameters import DeviceParameters, TrainingParameters

CPU = DeviceParameters(accelerator="cpu")


@pytest.fixture
def scaled(space: ChainSpace) -> ScaledChains:
    operations = tuple(Operation.parse(name) for name in ("k3e1", "k3e2", "k5e3", "skip"))
    stages = (Stage(16, 2, 1), Stage(24, 2, 2))
    base = replace(space, stem_width=16, stages=stages, operations=operations, tokens=())
    return ScaledChains(base, (4, 8), (0.5, 1.0))


@pytest.fixture
def supernet(scaled: ScaledChains) -> ScaledSupernet:
    made = make_supernet(scaled, torch.Generator().manual_seed(0))
    assert isinstance(made, ScaledSupernet)
    return made


def test_a_path_sees_images_at_its_own_size_and_is_the_subnet_taken_out(
    scaled: ScaledChains, supernet: ScaledSupernet
) -> None:
    images = torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    supernet.eval()
    for row in scaled.sample(12, np.random.default_rng(0)).tolist():
        alone = supernet.extract(row).eval()
        small = at_size(images, scaled.image_sizes[row[0]])
        torch.testing.assert_close(supernet(images, row), alone(small))
        # An image that comes at that size is taken as it is: exported networks are compared so.
        torch.testing.assert_close(supernet(small, row), alone(small))


def test_subnets_are_judged_as_on_a_super_network_of_their_size_and_width_alone(
    scaled: ScaledChains, supernet: ScaledSupernet, images: ImageSplit, description: ImageDescription
) -> None:
    rows = scaled.sample(20, np.random.default_rng(3))
    given = {
        "train": images, "validation": images.subset(torch.arange(30)), "description": description,
        "parameters": EvaluationParameters(calibration_images=20, calibration_batch=10), "device": CPU, "seed": 0,
        "work": None,
    }  # fmt: skip
    together = evaluate_subnets(supernet, scaled, rows, **given).table
    assert together["architecture"].tolist() == np.repeat(scaled.names(rows), 2).tolist()
    figures = ["accuracy", "log_loss"]
    for label, places, own in scaled.by_member(rows):
        member = scaled.members[label]
        chain = supernet.member(rows[places[0]])
        chain.image_size.fill_(member.input_shape[-1])
        alone = evaluate_subnets(chain, member, own, **given).table
        of_these = together.iloc[np.sort(np.concatenate([2 * places, 2 * places + 1]))]
        pd.testing.assert_frame_equal(of_these[figures].reset_index(drop=True), alone[figures])


def test_the_largest_path_of_each_size_and_width_is_trained_first(scaled: ScaledChains) -> None:
    paths = largest_paths(scaled)
    (largest,), chain = {path[CHAIN_FROM:] for path in paths.paths}, extreme_paths(scaled.base, "", "")[0]
    assert largest == chain
    generator = torch.Generator().manual_seed(0)
    drawn = {path[:CHAIN_FROM] for step in range(60) for path in paths(step, generator)}
    assert drawn == {(0, 0), (0, 1), (1, 0), (1, 1)}
    top, bottom = extreme_paths(scaled, "", "")
    assert (top[:CHAIN_FROM], bottom[:CHAIN_FROM]) == ((1, 1), (0, 0))


def test_blocks_begin_as_slices_of_their_own_widths_largest(scaled: ScaledChains, supernet: ScaledSupernet) -> None:
    before = {name: tensor.clone() for name, tensor in supernet.state_dict().items()}
    begin_as_slices(slices_of(supernet, largest_paths(scaled).paths[0]))
    changed = {name for name, tensor in supernet.state_dict().items() if not torch.equal(tensor, before[name])}
    assert {name.split(".blocks.")[0] for name in changed} <= {"chains.0", "chains.1"}


def test_training_reaches_both_widths_and_the_weights_fit_again(
    scaled: ScaledChains, images: ImageSplit, description: ImageDescription
) -> None:
    training = TrainingParameters(epochs=4, batch_size=8)
    parameters = SupernetParameters(seeds=1, largest_first_epochs=2, training=training)
    trained, curve = train_supernets(
        scaled, images, description, parameters=parameters, device=CPU, seed=0, work=None, progress=False
    )
    assert curve["epoch"].tolist() == [1, 2, 3, 4, 5, 6]
    fresh = make_supernet(scaled, torch.Generator().manual_seed(0)).state_dict()
    weights = load_supernet(scaled, trained["seed_0"]).state_dict()
    for width in range(2):
        stem = f"chains.{width}.stem.0.weight"
        assert not torch.equal(weights[stem], fresh[stem])


def test_the_weights_of_another_data_set_are_taken_part_by_part(scaled: ScaledChains, supernet: ScaledSupernet) -> None:
    other = make_supernet(scaled, torch.Generator().manual_seed(5))
    begun = begin_with(other, supernet.state_dict(), space=scaled.name, origin="there")
    assert set(begun.drawn) == {"chains.0.head.classifier", "chains.1.head.classifier"}
    block = "chains.1.blocks.2.0.layers.0.0.weight"
    assert torch.equal(other.state_dict()[block], supernet.state_dict()[block])


def test_sizes_of_super_networks_and_of_the_search_exclude_each_other(
    scaled: ScaledChains, images: ImageSplit, description: ImageDescription
) -> None:
    parameters = SupernetParameters(seeds=2, image_sizes=(4, 8), training=TrainingParameters(epochs=1))
    with pytest.raises(ArchatlasError, match=r"already sees images at the sizes \[4, 8\]"):
        train_supernets(
            scaled, images, description, parameters=parameters, device=CPU, seed=0, work=None, progress=False
        )
