from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from pydantic import ValidationError

from archatlas.errors import ArchatlasError
from archatlas.images.dataset import ImageSplit
from archatlas.images.description import ImageDescription
from archatlas.images.parameters import AugmentationParameters
from archatlas.networks.resized import at_size
from archatlas.spaces.parameters import SpaceParameters
from archatlas.spaces.presets import make_space, preset
from archatlas.spaces.scaled_chains import ScaledChains
from archatlas.storage.work_store import WorkStore
from archatlas.supernet.make import make_supernet
from archatlas.training.parameters import DeviceParameters, TrainingParameters
from archatlas.training.weights import arrays_of
from archatlas.verification.finishing import finish, path_weights
from archatlas.verification.members import member_of
from archatlas.verification.parameters import FinishingParameters
from archatlas.verification.trainings import FurtherTraining, TrainingJob, Trainings

SPACE = make_space(
    SpaceParameters.model_validate({"stem_width": 4, "stages": [{"width": 4, "depth": 2, "stride": 2}]}), (1, 8, 8), 3
)
NAME = "k3e1-k1e1"
MOBILENET = "mobilenet_x1.00"


def split(count: int, seed: int) -> ImageSplit:
    labels = torch.arange(count) % 3
    images = torch.randint(0, 60, (count, 1, 8, 8), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)
    images[torch.arange(count), :, 2 * labels] += 150  # the class is the bright row
    return ImageSplit(images, labels)


def trainings(folder: Path, **changed: Any) -> Trainings:
    description = ImageDescription(
        class_names=("a", "b", "c"), channels=1, image_size=8, mean=(0.2,), std=(0.2,), splits={}, source="made"
    )
    return Trainings(
        split(96, 0),
        split(48, 1),
        description,
        TrainingParameters.model_validate({"epochs": 1, "batch_size": 16, **changed}),
        AugmentationParameters(shift=0),
        DeviceParameters(accelerator="cpu", workers=1),
        WorkStore(folder),
    )


@pytest.fixture
def chosen(tmp_path: Path) -> dict[str, Any]:
    """A network of the space that won two budgets, after one epoch from each of two seeds."""
    alike = trainings(tmp_path)
    jobs = [TrainingJob(SPACE, NAME, seed, NAME) for seed in (0, 1)]
    figures = alike.run(jobs)
    best = int(figures.sort_values(["validation_accuracy", "validation_log_loss"], ascending=[False, True]).index[0])
    won = {"status": "found", "architecture": NAME, "seeds": [0, 1], "best_seed": best, "runners_up": []}
    return {
        "chosen": [{"budget": "small", **won}, {"budget": "none", "status": "none"}, {"budget": "large", **won}],
        "trained": {(NAME, seed): alike.weights(job) for seed, job in enumerate(jobs)},
        "figures": figures,
    }


def finished(chosen: dict[str, Any], further: Trainings, supernets: Any = None, **parameters: Any) -> Any:
    asked = FinishingParameters.model_validate(parameters)
    return finish(**chosen, trainings=further, space=SPACE, parameters=asked, seed=0, supernets=supernets)


def test_a_winner_of_two_budgets_is_trained_on_once_from_its_best_weights(
    chosen: dict[str, Any], tmp_path: Path
) -> None:
    documents, weights, table = finished(chosen, trainings(tmp_path, epochs=8), seeds=2)
    assert table["network"].tolist() == [NAME, NAME]
    assert [document["finished"] is None for document in documents] == [False, True, False]
    told = documents[0]["finished"]
    assert told == documents[2]["finished"]
    assert (told["start"], told["epochs"], told["better"]) == ("trained", 8, True)
    assert told["validation_accuracy"] == table["validation_accuracy"].max()
    assert table["validation_log_loss"].max() < chosen["figures"]["validation_log_loss"].min()
    assert set(weights) == {"small", "large"}
    network = SPACE.build(SPACE.parse([NAME])[0])
    network.load_state_dict(weights["small"])


@pytest.mark.parametrize(
    ("space", "network"),
    [
        (SPACE, NAME),
        (ScaledChains(SPACE, (4, 8), (0.5, 1.0)), "r4_w0.5_k3e1-k1e1"),
        (preset("nas_bench_201", (1, 8, 8), 3), "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"),
    ],
)
def test_a_winner_begins_with_the_weights_of_its_path_on_each_supernet_in_turn(space: Any, network: str) -> None:
    made = [make_supernet(space, torch.Generator().manual_seed(seed)) for seed in (0, 1)]
    supernets = {f"seed_{seed}": supernet.state_dict for seed, supernet in enumerate(made)}
    images = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    member, path = member_of(space, network), space.parse([network])[0].tolist()
    alone = member.build().eval()
    for number in (0, 1, 2):
        alone.load_state_dict(path_weights(supernets, space, network, number))
        with torch.inference_mode():
            seen = at_size(images, member.space.input_shape[-1])
            assert torch.equal(alone(seen), made[number % 2].eval()(images, path))
    with pytest.raises(ArchatlasError, match=r"`finishing.start` is supernet, but no super-network was trained"):
        path_weights({}, space, network, 0)


@pytest.mark.parametrize("name", [NAME, MOBILENET])
def test_from_a_supernet_its_own_networks_begin_and_a_mobilenet_as_it_was_trained(
    name: str, chosen: dict[str, Any], tmp_path: Path
) -> None:
    supernets = {"seed_0": make_supernet(SPACE, torch.Generator().manual_seed(3)).state_dict}
    member, alike = member_of(SPACE, name), trainings(tmp_path)
    before = TrainingJob(member.space, member.network, 0, name)
    given = {
        "chosen": [{**chosen["chosen"][0], "architecture": name, "best_seed": 0}],
        "figures": alike.run([before]),
        "trained": {(name, 0): alike.weights(before)},
    }
    first = path_weights(supernets, SPACE, name, 0) if name == NAME else alike.weights(before)
    still = trainings(tmp_path, epochs=1, learning_rate=1e-12, momentum=0.0, weight_decay=0.0)
    *_, table = finished(given, still, supernets=supernets, start="supernet")
    job = FurtherTraining(member.space, member.network, int(table["seed"][0]), name, arrays_of(first))
    done = len(list(tmp_path.rglob("*.safetensors")))
    assert still.weights(job)["stem.0.weight"].allclose(first["stem.0.weight"])
    assert len(list(tmp_path.rglob("*.safetensors"))) == done, "this very training was the one that was made"


def test_what_training_makes_no_better_is_exported_as_it_was(chosen: dict[str, Any], tmp_path: Path) -> None:
    ruined = trainings(tmp_path, epochs=1, learning_rate=1e-9, momentum=0.0, batch_size=2)
    ruined = replace(ruined, train=ImageSplit(torch.zeros_like(ruined.train.images), ruined.train.labels))
    documents, weights, _ = finished(chosen, ruined)
    best = chosen["chosen"][0]["best_seed"]
    assert documents[0]["finished"]["better"] is False
    assert documents[0]["finished"]["validation_accuracy"] == chosen["figures"]["validation_accuracy"][best]
    for name, tensor in chosen["trained"][NAME, best].items():
        assert torch.equal(weights["small"][name], tensor)


def test_with_the_validation_images_nothing_is_left_to_choose_by(chosen: dict[str, Any], tmp_path: Path) -> None:
    further = trainings(tmp_path)
    both = further.train.joined(further.validation)
    assert (len(both), both.labels[96].item()) == (144, further.validation.labels[0].item())
    documents, _, table = finished(chosen, replace(further, train=both), with_validation=True)
    assert documents[0]["finished"]["better"] is True
    assert documents[0]["finished"]["validation_log_loss"] is None
    assert table.drop(columns=["network", "seed"]).isna().all(axis=None), "they were trained on"
    assert documents[0]["finished"]["with_validation"] is True
    for several in ("seeds", "contenders"):
        with pytest.raises(ValidationError, match=rf"set `{several}` to 1"):
            FinishingParameters.model_validate({"with_validation": True, several: 2})


def test_a_training_that_comes_to_nothing_is_not_exported(chosen: dict[str, Any], tmp_path: Path) -> None:
    further = trainings(tmp_path, epochs=2, warmup_epochs=0)
    further = replace(further, training=further.training.model_copy(update={"learning_rate": 1e30}))
    documents, weights, _ = finished(chosen, further, with_validation=True)
    best = chosen["chosen"][0]["best_seed"]
    assert documents[0]["finished"]["better"] is False
    for name, tensor in chosen["trained"][NAME, best].items():
        assert torch.equal(weights["small"][name], tensor)


def test_a_runner_up_that_overtakes_the_winner_is_exported_in_its_place(chosen: dict[str, Any], tmp_path: Path) -> None:
    other, alike = "k5e3-k5e3", trainings(tmp_path)
    figures = alike.run([TrainingJob(SPACE, other, 7)])
    behind = {"architecture": other, "role": "random", "seeds": [7], "best_seed": 7, "macs": 5, "status": "found"}
    documents = [{**one, "macs": 3, "runners_up": [behind]} for one in chosen["chosen"]]
    given = {
        "chosen": documents[:1],
        "trained": chosen["trained"] | {(other, 7): alike.weights(TrainingJob(SPACE, other, 7))},
        "figures": pd.concat([chosen["figures"], figures], ignore_index=True),
    }
    (alone,), _, table = finished(given, trainings(tmp_path, epochs=6))
    assert table["network"].tolist() == [NAME]
    assert (alone["architecture"], alone["finished"]["contenders"]) == (NAME, 1)
    (winner,), weights, table = finished(given, trainings(tmp_path, epochs=6), contenders=2)
    assert table["network"].tolist() == [NAME, other]
    best = table.sort_values(["validation_accuracy", "validation_log_loss"], ascending=[False, True]).iloc[0]
    assert winner["architecture"] == best["network"] == other, "the wider kernels learn faster here"
    assert (winner["role"], winner["macs"], winner["best_seed"], winner["budget"]) == ("random", 5, 7, "small")
    assert winner["reason"] == "winner: random network, best validation accuracy of the 2 that were trained on"
    SPACE.build(SPACE.parse([other])[0]).load_state_dict(weights["small"])


def test_a_mobilenet_that_won_is_trained_on_from_scratch_too(tmp_path: Path) -> None:
    document = {"budget": "x", "status": "found", "architecture": MOBILENET, "seeds": [0], "best_seed": 0}
    document |= {"runners_up": []}
    figures = pd.DataFrame(
        {"network": [MOBILENET], "seed": [0], "validation_accuracy": [0.0], "validation_log_loss": [9.0]}
    )
    documents, weights, table = finish(
        [document], {}, figures, trainings(tmp_path, epochs=2), SPACE, FinishingParameters(start="scratch"), 0
    )
    assert table["network"].tolist() == [MOBILENET]
    assert documents[0]["finished"]["start"] == "scratch"
    assert weights["x"]["head.classifier.weight"].shape[0] == 3


def test_another_start_is_another_training(chosen: dict[str, Any], tmp_path: Path) -> None:
    first = finished(chosen, trainings(tmp_path))[1]["small"]
    scaled = {
        key: {name: tensor * 2 if tensor.is_floating_point() else tensor for name, tensor in state.items()}
        for key, state in chosen["trained"].items()
    }
    other = finished({**chosen, "trained": scaled}, trainings(tmp_path))[1]["small"]
    assert any(not torch.equal(first[name], other[name]) for name in first)
