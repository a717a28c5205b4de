from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import save_file
from torch import Tensor

from archatlas.errors import ArchatlasError
from archatlas.images.dataset import ImageSplit
from archatlas.images.description import ImageDescription
from archatlas.spaces.chain import ChainSpace
from archatlas.spaces.chain_parts import Operation
from archatlas.spaces.presets import preset
from archatlas.spaces.protocol import SearchSpace
from archatlas.storage.work_store import WorkStore
from archatlas.supernet.make import make_supernet
from archatlas.supernet.parameters import SupernetParameters
from archatlas.supernet.train import train_supernets
from archatlas.supernet.warm_start import begin_with
from archatlas.training.parameters import DeviceParameters, TrainingParameters


def weights(space: SearchSpace, seed: int) -> dict[str, Tensor]:
    """A super-network's weights; their batch-norm statistics and norms are random too, as after a training."""
    generator = torch.Generator().manual_seed(seed)
    state = make_supernet(space, generator).state_dict()
    for name, tensor in state.items():
        if tensor.ndim == 1 and tensor.is_floating_point():
            state[name] = torch.rand(tensor.shape, generator=generator)
    return state


def taken(space: SearchSpace, source: SearchSpace) -> tuple[set[str], set[str], float]:
    """Names of tensors that became the source's, of those that stayed as they were, and the share that is told."""
    before, given = weights(space, 1), weights(source, 2)
    supernet = make_supernet(space, torch.Generator().manual_seed(1))
    supernet.load_state_dict(before)
    begun = begin_with(supernet, given, space=space.name, origin="elsewhere")
    after = {name: tensor for name, tensor in supernet.state_dict().items() if tensor.ndim}
    assert "image_size" not in begun.drawn
    assert int(supernet.image_size) == space.input_shape[-1]
    return (
        {name for name, tensor in after.items() if name in given and torch.equal(tensor, given[name])},
        {name for name, tensor in after.items() if torch.equal(tensor, before[name])},
        begun.share,
    )


CLASSIFIER = {"head.classifier.weight", "head.classifier.bias"}


@pytest.mark.parametrize("classes", [3, 7])
def test_all_weights_but_the_classifiers_are_taken_whatever_the_number_of_classes(
    space: ChainSpace, classes: int
) -> None:
    copied, stayed, share = taken(space, replace(space, num_classes=classes))
    assert stayed == CLASSIFIER
    assert copied == {name for name, tensor in weights(space, 0).items() if tensor.ndim} - CLASSIFIER
    counts = {name: parameter.numel() for name, parameter in make_supernet(space, torch.Generator()).named_parameters()}
    assert share == 1 - (8 * 3 + 3) / sum(counts.values())


def test_colour_from_grey_draws_the_first_convolution_anew(space: ChainSpace) -> None:
    copied, stayed, _ = taken(replace(space, input_shape=(3, 8, 8)), space)
    assert stayed == CLASSIFIER | {"stem.0.weight"}
    assert {"stem.1.weight", "stem.1.running_mean", "blocks.0.0.layers.0.0.weight"} <= copied


def test_a_block_of_another_shape_is_left_as_a_whole(space: ChainSpace) -> None:
    wider = replace(space, operations=(space.operations[0], Operation.parse("k5e2"), space.operations[2]))
    _, stayed, _ = taken(space, wider)
    # The expanding convolution would fit; the depthwise one does not.
    left = {name for name in stayed if name not in CLASSIFIER}
    assert {name.split(".layers.")[0] for name in left} == {f"blocks.{position}.1" for position in range(4)}
    assert "blocks.0.1.layers.0.0.weight" in left


def test_cells_are_taken_operation_by_operation() -> None:
    space = preset("nas_bench_201", (3, 8, 8), 10)
    copied, stayed, share = taken(space, preset("nas_bench_201", (1, 8, 8), 2))
    assert stayed == CLASSIFIER | {"stem.0.weight"}
    assert any(".operations." in name for name in copied)
    assert 0.99 < share < 1


def test_another_space_and_a_network_alone_are_refused_by_name(space: ChainSpace) -> None:
    supernet = make_supernet(space, torch.Generator().manual_seed(0))
    other = replace(space, stem_width=6, stages=tuple(replace(stage, width=12) for stage in space.stages))
    for given in (weights(other, 0), space.build([0, 0, 0, 0]).state_dict()):
        with pytest.raises(ArchatlasError, match="no block of the super-network in elsewhere fits the space 'tiny'"):
            begin_with(supernet, given, space=space.name, origin="elsewhere")


def train(
    space: SearchSpace,
    images: ImageSplit,
    description: ImageDescription,
    work: WorkStore,
    start: list[Path],
    **how: Any,
) -> dict[str, dict[str, Tensor]]:
    return train_supernets(
        space,
        images,
        description,
        parameters=SupernetParameters(training=TrainingParameters(epochs=1, batch_size=16), **how),
        device=DeviceParameters(accelerator="cpu", threads=1, workers=1),
        seed=0,
        work=work,
        progress=False,
        start=start,
    )[0]


def test_super_networks_begin_with_the_files_in_turn_and_other_weights_are_another_training(
    space: ChainSpace,
    images: ImageSplit,
    description: ImageDescription,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    files = [tmp_path / f"seed_{number}.safetensors" for number in range(2)]
    for number, file in enumerate(files):
        save_file(weights(space, 10 + number), file)
    work = WorkStore(tmp_path / "work")
    with caplog.at_level(logging.INFO, logger="archatlas"):
        both = train(space, images, description, work, files, seeds=3)
    told = [record.getMessage() for record in caplog.records if "begin with" in record.getMessage()]
    assert [line.split("drawn anew: ")[1] for line in told] == ["head.classifier"] * 2
    # A norm moves little in three steps: each is nearest to the file that it began with.
    name = "stem.1.bias"
    starts = [weights(space, 10 + number)[name] for number in range(2)]
    distances = [[float((state[name] - start).norm()) for start in starts] for state in both.values()]
    assert [row.index(min(row)) for row in distances] == [0, 1, 0]
    # The same files again train nothing; other content under the same names does.
    count = len(list((tmp_path / "work").glob("training-*")))
    assert count == 3
    train(space, images, description, work, files, seeds=3)
    assert len(list((tmp_path / "work").glob("training-*"))) == 3
    save_file(weights(space, 12), files[1])
    train(space, images, description, work, files, seeds=3)
    assert len(list((tmp_path / "work").glob("training-*"))) == 4


def test_what_is_no_file_of_weights_is_refused_before_anything_is_trained(
    space: ChainSpace, images: ImageSplit, description: ImageDescription, tmp_path: Path
) -> None:
    file = tmp_path / "weights.safetensors"
    file.write_text("no weights")
    with pytest.raises(ArchatlasError, match="no safetensors file of super-network weights"):
        train(space, images, description, WorkStore(tmp_path / "work"), [file])
    assert not (tmp_path / "work").exists()


def test_the_largest_path_is_not_sliced_over_weights_that_were_taken() -> None:
    with pytest.raises(ValidationError, match="`start_from` is digits, whose blocks agree already"):
        SupernetParameters(start_from="digits", largest_first_epochs=5)
