"""Where scores come from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from archatlas.costs.counting import count_parts
from archatlas.images.dataset import ImageSplit
from archatlas.images.description import ImageDescription
from archatlas.images.parameters import AugmentationParameters
from archatlas.spaces.chain_parts import Stage
from archatlas.spaces.presets import preset
from archatlas.spaces.protocol import SearchSpace
from archatlas.spaces.scaled_chains import ScaledChains
from archatlas.storage.work_store import WorkStore
from archatlas.supernet.evaluate import EvaluationImages, evaluate_subnets
from archatlas.supernet.make import make_supernet
from archatlas.supernet.parameters import EvaluationParameters
from archatlas.systems.evaluators import AloneEvaluator, SupernetEvaluator
from archatlas.systems.ledger import Limit, Spending
from archatlas.systems.random_search import RandomSearch
from archatlas.systems.searches import Search, Searches
from archatlas.systems.spending import spent_on_sample, spent_on_trainings
from archatlas.training.parameters import DeviceParameters, TrainingParameters
from archatlas.verification.alone import training_seeds
from archatlas.verification.calibration import no_networks
from archatlas.verification.roles import no_trainings
from archatlas.verification.trainings import TrainingJob, Trainings

CPU = DeviceParameters(accelerator="cpu", threads=1)
SPACE = replace(preset("digits", (1, 8, 8), 3), stages=(Stage(8, 2, 1), Stage(8, 1, 2)))  # type: ignore[type-var]
FAMILY = ScaledChains(SPACE, (4, 8), (1.0,))  # type: ignore[arg-type]
JUDGED = EvaluationParameters(calibration_images=16, calibration_batch=8, validation_batch=16)


def split(count: int, seed: int) -> ImageSplit:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 255, (count, 1, 8, 8), generator=generator, dtype=torch.uint8)
    return ImageSplit(images, torch.arange(count) % 3)


TRAIN, VALIDATION = split(32, 0), split(24, 1)
DESCRIPTION = ImageDescription(
    class_names=("a", "b", "c"), channels=1, image_size=8, mean=(0.5,), std=(0.3,),
    splits={"train": 32, "validation": 24}, source="made",
)  # fmt: skip


@pytest.mark.parametrize("space", [SPACE, FAMILY], ids=["chain", "family"])
def test_scores_are_those_of_an_evaluation_of_all_at_once_in_whatever_order_they_are_asked_for(
    space: SearchSpace,
) -> None:
    supernets = {number: make_supernet(space, torch.Generator().manual_seed(number)) for number in range(2)}
    rows = space.canonicalise(space.sample(12, np.random.default_rng(0)))
    given = {"train": TRAIN, "validation": VALIDATION, "description": DESCRIPTION, "parameters": JUDGED, "device": CPU}
    expected = pd.concat(
        [
            evaluate_subnets(supernet, space, rows, **given, seed=number, work=None).table  # type: ignore[arg-type]
            for number, supernet in supernets.items()
        ]
    )
    evaluator = SupernetEvaluator(supernets, space, EvaluationImages(TRAIN, VALIDATION, DESCRIPTION, JUDGED, CPU, 0))
    asked = [evaluator.evaluate(rows[place][None]) for place in np.random.default_rng(1).permutation(len(rows))]
    keys = ["seed", "network", "half"]
    pd.testing.assert_frame_equal(
        pd.concat(asked).sort_values(keys, ignore_index=True),
        expected.sort_values(keys, ignore_index=True),
        check_exact=True,
    )


def test_searches_side_by_side_find_what_they_find_one_after_the_other() -> None:
    searches = [Search(budget, (), number, number) for budget in ("small", "large") for number in range(2)]
    asked = Searches("random_search", RandomSearch(), SPACE, count_parts(SPACE), pd.DataFrame(), "log_loss",
                     Limit(evaluations=5))  # fmt: skip
    supernets = {0: make_supernet(SPACE, torch.Generator().manual_seed(0)).state_dict()}
    found = [
        asked.on_supernets(supernets, searches, EvaluationImages(TRAIN, VALIDATION, DESCRIPTION, JUDGED, device, 0))
        for device in (CPU, DeviceParameters(accelerator="cpu", threads=2, workers=2))
    ]
    pd.testing.assert_frame_equal(*found, check_exact=True)
    assert found[0].groupby(["budget", "seed"], sort=False).size().tolist() == [5] * 4
    assert (found[0]["score"] < 0).all(), "a log loss is a score when it is negated"


def trainings(folder: Path) -> Trainings:
    return Trainings(
        TRAIN, VALIDATION, DESCRIPTION, TrainingParameters(epochs=1, warmup_epochs=0), AugmentationParameters(shift=0),
        DeviceParameters(accelerator="cpu", workers=1), WorkStore(folder),
    )  # fmt: skip


def test_a_network_is_trained_once_under_one_recipe_whoever_asks(tmp_path: Path) -> None:
    def done() -> int:
        return len(list(tmp_path.rglob("*.json")))

    rows = FAMILY.canonicalise(FAMILY.sample(3, np.random.default_rng(0)))
    names = FAMILY.names(rows).tolist()
    evaluator = AloneEvaluator(FAMILY, trainings(tmp_path), seeds=2, seed=7)
    table = evaluator.evaluate(rows)
    assert table["network"].tolist() == [name for name in names for _ in range(2)], "by their names in the family"
    assert done() == 6
    evaluator.evaluate(rows[::-1])
    # As finalists, calibration and the audit ask: a member of the family, trained from the project's seeds.
    for name in names:
        ((label, _, own),) = FAMILY.by_member(FAMILY.parse([name]))
        member = FAMILY.members[label]
        jobs = [TrainingJob(member, str(member.names(own)[0]), seed, name) for seed in training_seeds(7, 2)]
        trainings(tmp_path).run(jobs)
    assert done() == 6
    trainings(tmp_path).run([replace(jobs[0], seed=training_seeds(8, 1)[0])])
    assert done() == 7, "another seed is another training"


def test_searches_by_training_share_what_was_trained_and_find_the_same_side_by_side(tmp_path: Path) -> None:
    searches = [Search(budget, (), number, number) for budget in ("small", "large") for number in range(2)]
    asked = Searches("random_search", RandomSearch(), SPACE, count_parts(SPACE), pd.DataFrame(), "accuracy",
                     Limit(evaluations=3))  # fmt: skip
    device = DeviceParameters(accelerator="cpu", threads=2, workers=2)
    one, beside = trainings(tmp_path / "one"), replace(trainings(tmp_path / "beside"), device=device)
    found = [asked.by_training(given, searches, 7) for given in (one, beside)]
    pd.testing.assert_frame_equal(*found, check_exact=True)
    trained = len(list((tmp_path / "one").rglob("*.json")))
    assert trained == found[0]["network"].nunique() < len(found[0]), "two searches of a seed draw alike"
    assert found[0].groupby(["budget", "seed"])["trainings"].max().tolist() == [3.0] * 4, "and both pay"
    alone = AloneEvaluator(SPACE, one, seed=7).evaluate(SPACE.parse(found[0]["network"].to_numpy(dtype=np.str_)))
    assert alone["accuracy"].tolist() == found[0]["score"].tolist()


def test_a_sample_is_charged_as_searches_are() -> None:
    supernets = {number: make_supernet(SPACE, torch.Generator().manual_seed(number)) for number in range(2)}
    evaluator = SupernetEvaluator(supernets, SPACE, EvaluationImages(TRAIN, VALIDATION, DESCRIPTION, JUDGED, CPU, 0))
    macs = np.array([100, 200])
    (one, other) = evaluator.price(macs)
    assert one == Spending(evaluations=1, forward_macs=100 * (16 + 24) * 2)
    sampled = pd.DataFrame({"network": ["a", "b"], "macs": macs})
    assert spent_on_sample(sampled, 2, DESCRIPTION, JUDGED) == one + other
    assert spent_on_sample(sampled, 0, DESCRIPTION, JUDGED) == Spending(evaluations=2, trainings=2)
    alone = AloneEvaluator(SPACE, trainings(Path("nowhere")), seeds=2)
    (price,) = alone.price(np.array([100]))
    trained, networks = pd.DataFrame({"network": ["a", "a"]}), pd.DataFrame({"network": ["a", "b"], "macs": [100, 7]})
    assert replace(price, evaluations=0.0) == spent_on_trainings(trained, networks, 1, DESCRIPTION)
    assert spent_on_trainings(no_trainings(), no_networks(), 1, DESCRIPTION) == Spending()
    assert price.backward_macs == 2 * 100 * 32 * 2
