from __future__ import annotations

import copy
import logging
import math
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from archatlas.errors import ArchatlasError
from archatlas.images.dataset import ImageSplit
from archatlas.images.description import ImageDescription
from archatlas.images.normalise import normalise
from archatlas.images.parameters import AugmentationParameters
from archatlas.networks.blocks import initialise
from archatlas.spaces.chain import ChainSpace
from archatlas.storage.work_store import WorkStore
from archatlas.supernet.make import make_supernet
from archatlas.supernet.strategies.fair import FairPaths
from archatlas.supernet.strategies.weights import choice_weights
from archatlas.training.loop import Teaching, class_weights, images_of_a_step, make_optimizer, mean_loss, train
from archatlas.training.parameters import DeviceParameters, TrainingParameters

CPU = DeviceParameters(accelerator="cpu")
PLAIN = AugmentationParameters(flip=False, shift=0, cutout=0)
MOVED = AugmentationParameters(flip=True, shift=1, cutout=2)


def make_network(space: ChainSpace) -> nn.Module:
    network = space.build([0, 1, 0, 1])
    initialise(network, torch.Generator().manual_seed(0))
    return network


def assert_same_weights(one: nn.Module, other: nn.Module) -> None:
    expected = other.state_dict()
    for name, tensor in one.state_dict().items():
        assert torch.equal(tensor, expected[name]), name


@dataclass(frozen=True)
class Killed:
    """Paths of a strategy until a step at which the process is killed. Prints as the strategy does."""

    strategy: FairPaths
    at_step: int
    asked: list[int] = field(default_factory=list)

    def __call__(self, step: int, generator: torch.Generator) -> Sequence[Any]:
        if step == self.at_step:
            raise KeyboardInterrupt
        self.asked.append(step)
        return self.strategy(step, generator)

    def __repr__(self) -> str:
        return repr(self.strategy)


def test_learns_and_reports_its_curve(space: ChainSpace, images: ImageSplit, description: ImageDescription) -> None:
    network = make_network(space)
    training = TrainingParameters(epochs=8, batch_size=12, learning_rate=0.1)
    curve = train(
        network,
        images,
        description,
        training=training,
        augmentation=PLAIN,
        device=CPU,
        seed=0,
        validation=images,
    )
    assert [row["epoch"] for row in curve] == list(range(1, 9))
    assert set(curve[0]) == {
        "epoch",
        "loss",
        "accuracy",
        "learning_rate",
        "validation_accuracy",
        "validation_log_loss",
    }
    assert curve[0]["learning_rate"] == pytest.approx(0.1)
    assert curve[-1]["learning_rate"] < 0.01
    assert curve[-1]["validation_accuracy"] > 0.9


def test_an_epoch_of_a_part_of_the_images_sees_others_each_time(
    space: ChainSpace, images: ImageSplit, description: ImageDescription, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Tensor] = []

    def watched(pixels: Tensor, description: ImageDescription) -> Tensor:
        seen.append(pixels.flatten(1).float().sum(dim=1))
        return normalise(pixels, description)

    monkeypatch.setattr("archatlas.training.loop.normalise", watched)
    training = TrainingParameters(epochs=4, batch_size=5, images_per_epoch=12)
    train(make_network(space), images, description, training=training, augmentation=PLAIN, device=CPU, seed=0)
    assert [len(batch) for batch in seen] == [5, 5] * 4  # Two whole batches of twelve images.
    first, last = (set(torch.cat(seen[at : at + 2]).tolist()) for at in (0, 6))
    assert first != last
    assert [training.of_an_epoch(count) for count in (10, 12, 50)] == [10, 12, 12]
    assert images_of_a_step(TrainingParameters(batch_size=64, images_per_epoch=12), 50, CPU) == 12


def test_the_seed_decides_everything(space: ChainSpace, images: ImageSplit, description: ImageDescription) -> None:
    networks = []
    for seed in (3, 3, 4):
        network = make_network(space)
        training = TrainingParameters(epochs=2, batch_size=20)
        train(network, images, description, training=training, augmentation=MOVED, device=CPU, seed=seed)
        networks.append(network)
    assert_same_weights(networks[0], networks[1])
    assert not torch.equal(networks[0].head.classifier.weight, networks[2].head.classifier.weight)


@pytest.mark.parametrize(("optimizer", "ema_decay"), [("sgd", None), ("sgd", 0.9), ("adamw", None)])
def test_a_resumed_training_ends_in_the_very_same_weights(
    tmp_path: Path,
    space: ChainSpace,
    images: ImageSplit,
    description: ImageDescription,
    optimizer: str,
    ema_decay: float | None,
) -> None:
    training = TrainingParameters(
        epochs=4, batch_size=16, optimizer=optimizer, learning_rate=0.01, ema_decay=ema_decay, gradient_clip=1.0
    )
    strategy = FairPaths(choice_weights(space, 1.0))

    def run(paths: Any, store: WorkStore | None) -> tuple[nn.Module, list[dict[str, float]]]:
        network = make_supernet(space, torch.Generator().manual_seed(0))
        curve = train(
            network,
            images,
            description,
            training=training,
            augmentation=MOVED,
            device=CPU,
            seed=1,
            paths=paths,
            checkpoints=store,
        )
        return network, curve

    whole, curve = run(strategy, None)
    store = WorkStore(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        run(Killed(strategy, at_step=7), store)
    rest = Killed(strategy, at_step=-1)
    resumed, resumed_curve = run(rest, store)
    assert rest.asked == list(range(6, 12))  # three steps an epoch: epochs 1 and 2 were finished
    assert_same_weights(resumed, whole)
    assert resumed_curve == curve
    again, again_curve = run(Killed(strategy, at_step=0), store)
    assert_same_weights(again, whole)
    assert again_curve == curve


def test_a_training_with_a_damaged_checkpoint_starts_again(
    tmp_path: Path,
    space: ChainSpace,
    images: ImageSplit,
    description: ImageDescription,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def run() -> nn.Module:
        network = make_network(space)
        training = TrainingParameters(epochs=2, batch_size=24)
        train(
            network,
            images,
            description,
            training=training,
            augmentation=PLAIN,
            device=CPU,
            seed=0,
            checkpoints=WorkStore(tmp_path),
        )
        return network

    first = run()
    (checkpoint,) = tmp_path.glob("*/checkpoint.safetensors")
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    with caplog.at_level(logging.WARNING):
        second = run()
    assert "checkpoint.safetensors is damaged" in caplog.text
    assert_same_weights(first, second)


def test_checkpoints_of_other_settings_are_not_resumed(
    tmp_path: Path, space: ChainSpace, images: ImageSplit, description: ImageDescription
) -> None:
    base = TrainingParameters(epochs=1, batch_size=24)
    other_images = ImageSplit(images.images.flip(0), images.labels.flip(0))
    for split, training, seed in (
        (images, base, 0),
        (images, base, 1),
        (images, base.model_copy(update={"momentum": 0.5}), 0),
        (other_images, base, 0),
    ):
        network = make_network(space)
        train(
            network,
            split,
            description,
            training=training,
            augmentation=PLAIN,
            device=CPU,
            seed=seed,
            checkpoints=WorkStore(tmp_path),
        )
    assert len(list(tmp_path.iterdir())) == 4


def test_a_step_follows_the_mean_loss_of_its_paths(
    space: ChainSpace, images: ImageSplit, description: ImageDescription
) -> None:
    paths = [(0, 0, 0, 0), (1, 2, 1, 2)]
    supernet = make_supernet(space, torch.Generator().manual_seed(0))
    by_hand = copy.deepcopy(supernet)
    training = TrainingParameters(
        epochs=1, batch_size=48, learning_rate=0.1, momentum=0.0, weight_decay=0.0, warmup_epochs=0, label_smoothing=0.1
    )
    device = DeviceParameters(accelerator="cpu", channels_last=False)
    train(
        supernet,
        images,
        description,
        training=training,
        augmentation=PLAIN,
        device=device,
        seed=0,
        paths=lambda step, generator: paths,
    )
    batch = normalise(images.images, description)
    losses = [functional.cross_entropy(by_hand(batch, path), images.labels, label_smoothing=0.1) for path in paths]
    torch.stack(losses).mean().backward()
    for name, parameter in by_hand.named_parameters():
        step = 0 if parameter.grad is None else 0.1 * parameter.grad
        torch.testing.assert_close(supernet.get_parameter(name), parameter - step, msg=name, atol=1e-5, rtol=1e-4)


def test_blocks_off_the_path_are_left_alone(
    space: ChainSpace, images: ImageSplit, description: ImageDescription
) -> None:
    supernet = make_supernet(space, torch.Generator().manual_seed(0))
    before = copy.deepcopy(supernet)
    train(
        supernet,
        images,
        description,
        training=TrainingParameters(epochs=2, batch_size=24, weight_decay=0.1),
        augmentation=PLAIN,
        device=CPU,
        seed=0,
        paths=lambda step, generator: [(0, 0, 0, 0)],
    )
    assert_same_weights(supernet.blocks[1][1], before.blocks[1][1])
    assert not torch.equal(
        supernet.blocks[1][0].layers[0][0].weight,
        before.blocks[1][0].layers[0][0].weight,
    )


def test_balanced_classes_count_alike_however_many_images_each_has() -> None:
    labels = torch.tensor([0, 0, 0, 1])
    balanced = class_weights(labels, 3, TrainingParameters(class_weights="balanced"))
    assert balanced is not None
    assert balanced.tolist() == pytest.approx([4 / 9, 4 / 3, 4 / 3])
    assert class_weights(labels, 3, TrainingParameters()) is None


@pytest.mark.parametrize("share", [0.0, 0.75])
def test_balanced_classes_have_equal_parts_of_the_loss_in_whatever_batches(share: float) -> None:
    """Also of a batch that holds no image of the rare class."""
    labels = torch.tensor([0] * 6 + [1] * 2)
    weights = class_weights(labels, 2, TrainingParameters(class_weights="balanced"))
    said = torch.full((8, 2), 0.5) if share else None

    def loss_of(images: Tensor, logits: Tensor) -> Tensor:
        return mean_loss(logits[images], labels[images], 0.1, weights, None if said is None else said[images], share)

    logits = torch.zeros(8, 2, requires_grad=True)
    batches = torch.arange(8).split(4)
    loss = torch.stack([loss_of(batch, logits) for batch in batches]).mean()
    assert float(loss.detach()) == pytest.approx(math.log(2))
    (found,) = torch.autograd.grad(loss, logits)
    of_class = found.abs().sum(dim=1)
    assert float(of_class[:6].sum()) == pytest.approx(float(of_class[6:].sum()))
    logits = torch.randn(8, 2, generator=torch.Generator().manual_seed(0))
    halves = [float(loss_of(torch.arange(start, 8, 2), logits)) for start in (0, 1)]
    assert sum(halves) / 2 == pytest.approx(float(loss_of(torch.arange(8), logits)))


def test_what_teachers_say_of_rare_classes_counts_more_if_these_are_balanced() -> None:
    logits, labels = torch.tensor([[1.0, -1.0], [0.5, 0.0]]), torch.tensor([0, 1])
    said = torch.tensor([[0.75, 0.25], [0.5, 0.5]])
    taught = -(said * logits.log_softmax(1)).sum(1)
    found = mean_loss(logits, labels, 0.0, torch.tensor([0.5, 4.0]), said, 1.0)
    assert float(found) == pytest.approx(float(0.5 * taught[0] + 4 * taught[1]) / 2)


def test_norms_and_biases_are_not_decayed(space: ChainSpace) -> None:
    network = make_network(space)
    optimizer = make_optimizer(network, TrainingParameters(weight_decay=0.5))
    decayed = {id(p) for group in optimizer.param_groups if group["weight_decay"] == 0.5 for p in group["params"]}
    free = {id(p) for group in optimizer.param_groups if group["weight_decay"] == 0 for p in group["params"]}
    for name, parameter in network.named_parameters():
        is_weight = isinstance(network.get_submodule(name.rpartition(".")[0]), nn.Conv2d | nn.Linear)
        assert (id(parameter) in decayed) == (is_weight and name.endswith("weight")), name
        assert id(parameter) in decayed | free


def test_a_loss_that_is_not_finite_stops_the_training(
    tmp_path: Path, space: ChainSpace, images: ImageSplit, description: ImageDescription
) -> None:
    network = make_network(space)
    with torch.no_grad():
        network.head.classifier.weight.fill_(float("nan"))
    with pytest.raises(ArchatlasError, match=r"training diverged.*Lower `learning_rate`"):
        train(
            network,
            images,
            description,
            training=TrainingParameters(epochs=2),
            augmentation=PLAIN,
            device=CPU,
            seed=0,
            checkpoints=WorkStore(tmp_path),
        )
    assert not list(tmp_path.glob("*/checkpoint*"))


def test_devices_must_share_a_batch_equally(
    space: ChainSpace, images: ImageSplit, description: ImageDescription
) -> None:
    with pytest.raises(
        ArchatlasError, match=r"batch_size` is 15, .* `device\.devices` = 2 .* multiple of 2, 4 at least"
    ):
        train(
            make_network(space),
            images,
            description,
            training=TrainingParameters(batch_size=15),
            augmentation=PLAIN,
            device=DeviceParameters(accelerator="cpu", devices=2),
            seed=0,
        )


def test_few_images_are_a_step_as_far_as_devices_can_share_them(
    space: ChainSpace, images: ImageSplit, description: ImageDescription
) -> None:
    def of_a_step(images: int, devices: int) -> int:
        return images_of_a_step(TrainingParameters(batch_size=64), images, DeviceParameters(devices=devices))

    assert [of_a_step(images, 4) for images in (10, 63, 64, 65, 1000)] == [8, 60, 64, 64, 64]
    assert [of_a_step(images, 1) for images in (3, 63, 65)] == [3, 63, 64]
    few = len(images) // 2 + 1
    with pytest.raises(ArchatlasError, match=rf"{len(images)} training images, .*devices` = {few} needs 2 in a step"):
        train(
            make_network(space), images, description, training=TrainingParameters(batch_size=2 * few),
            augmentation=PLAIN, device=DeviceParameters(accelerator="cpu", devices=few), seed=0,
        )  # fmt: skip


def test_two_processes_train_as_one_does(
    tmp_path: Path, space: ChainSpace, images: ImageSplit, description: ImageDescription
) -> None:
    """Without batch norm, whose statistics are each process's own, the two differ by rounding alone."""

    def run(devices: int) -> tuple[nn.Module, list[dict[str, float]]]:
        supernet = make_supernet(space, torch.Generator().manual_seed(0))
        for module in list(supernet.modules()):
            for name, child in list(module.named_children()):
                if isinstance(child, nn.BatchNorm2d):
                    setattr(module, name, nn.Identity())
        curve = train(
            supernet,
            images,
            description,
            training=TrainingParameters(epochs=2, batch_size=24, learning_rate=0.02, ema_decay=0.5),
            augmentation=PLAIN,
            device=DeviceParameters(accelerator="cpu", devices=devices, threads=1, channels_last=False),
            seed=0,
            paths=FairPaths(choice_weights(space, 1.0)),
            checkpoints=WorkStore(tmp_path),
        )
        return supernet, curve

    threads = torch.get_num_threads()
    try:
        (alone, curve), (shared, shared_curve) = run(1), run(2)
    finally:
        torch.set_num_threads(threads)
    for row, other in zip(curve, shared_curve, strict=True):
        assert row == pytest.approx(other, rel=1e-4)
    for name, tensor in alone.state_dict().items():
        torch.testing.assert_close(shared.state_dict()[name], tensor, atol=1e-5, rtol=1e-3, msg=name)


class Oracle(nn.Module):
    """Says the same of every image."""

    def __init__(self, logits: list[float]) -> None:
        super().__init__()
        self.register_buffer("logits", torch.tensor(logits))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.logits.expand(len(images), -1)


def test_what_teachers_say_is_part_of_the_target(
    space: ChainSpace, images: ImageSplit, description: ImageDescription
) -> None:
    training = TrainingParameters(epochs=1, batch_size=len(images), learning_rate=1e-9, warmup_epochs=0)
    how = {"training": training, "augmentation": PLAIN, "device": CPU, "seed": 0}
    (plain,) = train(make_network(space), images, description, **how)
    first, second = Oracle([0.0, 0.0, 2.0]), Oracle([3.0, 0.0, 0.0])
    (taught,) = train(make_network(space), images, description, **how, teaching=Teaching((first, second), 0.25))
    network = make_network(space).train()
    said = network(normalise(images.images, description)).log_softmax(dim=1)
    mean = (first.logits.softmax(0) + second.logits.softmax(0)) / 2
    expected = 0.75 * plain["loss"] + 0.25 * float(-(said * mean).sum(dim=1).mean().detach())
    assert taught["loss"] == pytest.approx(expected, abs=1e-5)


def test_taught_long_enough_a_network_says_what_its_teacher_says(
    space: ChainSpace, images: ImageSplit, description: ImageDescription
) -> None:
    pupil, teacher = make_network(space), Oracle([0.0, 1.0, 3.0])
    before = {name: tensor.clone() for name, tensor in teacher.state_dict().items()}
    training = TrainingParameters(epochs=40, batch_size=16)
    train(
        pupil, images, description, training=training, augmentation=PLAIN, device=CPU, seed=0,
        teaching=Teaching((teacher,), 1.0),
    )  # fmt: skip
    with torch.no_grad():
        said = pupil.eval()(normalise(images.images, description)).softmax(dim=1).mean(dim=0)
    assert torch.allclose(said, teacher.logits.softmax(0), atol=0.05)
    assert torch.equal(before["logits"], teacher.logits)
    with pytest.raises(ValueError, match="goes without `paths`"):
        train(
            pupil, images, description, training=training, augmentation=PLAIN, device=CPU, seed=0,
            paths=lambda step, generator: [0], teaching=Teaching((teacher,), 1.0),
        )  # fmt: skip


def test_who_teaches_counts_where_a_training_goes_on(
    space: ChainSpace, images: ImageSplit, description: ImageDescription, tmp_path: Path
) -> None:
    work = WorkStore(tmp_path)
    how = {
        "training": TrainingParameters(epochs=2, batch_size=16), "augmentation": PLAIN, "device": CPU, "seed": 0,
        "checkpoints": work,
    }  # fmt: skip
    networks = []
    for teaching in (None, Teaching((Oracle([1.0, 0, 0]),), 0.5), Teaching((Oracle([0, 1.0, 0]),), 0.5)):
        network = make_network(space)
        train(network, images, description, **how, teaching=teaching)
        networks.append(network.state_dict()["stem.0.weight"])
    assert not torch.equal(networks[0], networks[1])
    assert not torch.equal(networks[1], networks[2])


def test_what_several_devices_have_trained_may_be_larger_than_a_pipe(
    images: ImageSplit, description: ImageDescription
) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 3000), nn.ReLU(), nn.Linear(3000, 3))
    before = network[1].weight.detach().clone()
    assert before.numel() * before.element_size() > 10 * 65_536
    (row,) = train(
        network, images, description, training=TrainingParameters(epochs=1, batch_size=16), augmentation=PLAIN,
        device=DeviceParameters(accelerator="cpu", devices=2, threads=1, channels_last=False), seed=0,
        validation=images, teaching=Teaching((Oracle([1.0, 0, 0]),), 0.5),
    )  # fmt: skip
    assert row["epoch"] == 1
    with torch.no_grad():
        right = network.eval()(normalise(images.images, description)).argmax(dim=1) == images.labels
    assert row["validation_accuracy"] == pytest.approx(float(right.double().mean()))
    assert not torch.equal(network[1].weight, before)
    assert "MASTER_PORT" not in os.environ  # A port kept for the next training may be another's by then.


class _Dying(nn.Linear):
    """The second of two processes is killed in the first step, as a system does that is out of memory."""

    def forward(self, images: Tensor) -> Tensor:
        if torch.distributed.is_initialized() and torch.distributed.get_rank() == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().forward(images.flatten(1))


def test_a_killed_process_of_several_is_told_with_what_to_do(images: ImageSplit, description: ImageDescription) -> None:
    with pytest.raises(
        ArchatlasError,
        match=r"^one of 2 worker processes was killed.*set `device.devices` or `finishing.processes` to 1",
    ):
        train(
            _Dying(64, 3), images, description, training=TrainingParameters(epochs=1, batch_size=16),
            augmentation=PLAIN, seed=0,
            device=DeviceParameters(accelerator="cpu", devices=2, threads=1, channels_last=False),
        )  # fmt: skip


def test_what_was_judged_before_a_stop_is_known_after_it(
    tmp_path: Path, space: ChainSpace, images: ImageSplit, description: ImageDescription
) -> None:
    how = {
        "training": TrainingParameters(epochs=4, batch_size=16), "augmentation": PLAIN, "device": CPU, "seed": 0,
        "checkpoints": WorkStore(tmp_path), "validation": images, "validate_after": [2],
    }  # fmt: skip
    curve = train(make_network(space), images, description, **how)
    assert ["validation_accuracy" in row for row in curve] == [False, True, False, False]
    assert train(make_network(space), images, description, **how) == curve, "from the checkpoint of the last epoch"
