from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from archatlas.images.dataset import ImageSplit
from archatlas.images.description import ImageDescription
from archatlas.images.shrinking import shrink
from archatlas.spaces.chain import ChainSpace
from archatlas.storage.work_store import WorkStore
from archatlas.supernet.chain import ChainSupernet
from archatlas.supernet.evaluate import evaluate_subnets, half_scores, split_halves
from archatlas.supernet.make import load_supernet, make_supernet
from archatlas.supernet.parameters import EvaluationParameters, SupernetParameters
from archatlas.supernet.train import train_supernets
from archatlas.training.parameters import DeviceParameters, TrainingParameters

CPU = DeviceParameters(accelerator="cpu")
SMALL = EvaluationParameters(calibration_images=20, calibration_batch=10, validation_batch=16, part_size=7)


@pytest.fixture
def supernet(space: ChainSpace) -> ChainSupernet:
    return make_supernet(space, torch.Generator().manual_seed(0))


@pytest.fixture
def rows(space: ChainSpace) -> np.ndarray:
    return space.sample(20, np.random.default_rng(0))


class Evaluation:
    """One evaluation whose arguments can be changed."""

    def __init__(self, supernet: nn.Module, space: Any, rows: np.ndarray, images: ImageSplit, description: Any) -> None:
        self.arguments: dict[str, Any] = {
            "train": images,
            "validation": images.subset(torch.arange(0, 47)),
            "description": description,
            "parameters": SMALL,
            "device": CPU,
            "seed": 3,
            "work": None,
        }
        self.given = (supernet, space, rows)

    def __call__(self, **changed: Any) -> pd.DataFrame:
        return evaluate_subnets(*self.given, **{**self.arguments, **changed}).table


@pytest.fixture
def evaluate(
    supernet: ChainSupernet, space: ChainSpace, rows: np.ndarray, images: ImageSplit, description: ImageDescription
) -> Evaluation:
    return Evaluation(supernet, space, rows, images, description)


def test_the_table(evaluate: Evaluation, space: ChainSpace, rows: np.ndarray) -> None:
    table = evaluate()
    assert list(table.columns) == [
        "architecture",
        "network",
        "seed",
        "half",
        "accuracy",
        "log_loss",
        "images",
        "source",
        "noise",
    ]
    assert table["architecture"].tolist() == np.repeat(space.names(rows), 2).tolist()
    assert table["half"].tolist() == ["a", "b"] * len(rows)
    assert table["images"].tolist() == [24, 23] * len(rows)
    assert (table["seed"] == 3).all()
    assert (table["source"] == "supernet").all()
    np.testing.assert_allclose(table["noise"], np.sqrt(table["accuracy"] * (1 - table["accuracy"]) / table["images"]))
    assert table["log_loss"].nunique() > len(rows)
    pd.testing.assert_frame_equal(table, evaluate())


def test_the_super_network_is_not_changed(evaluate: Evaluation, supernet: ChainSupernet) -> None:
    before = {name: tensor.clone() for name, tensor in supernet.state_dict().items()}
    evaluate()
    assert supernet.training
    for name, tensor in supernet.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def test_repeated_and_unsorted_rows_keep_their_places(evaluate: Evaluation, rows: np.ndarray) -> None:
    table = evaluate()
    supernet, space, _ = evaluate.given
    evaluate.given = (supernet, space, np.concatenate([rows[::-1], rows[:3]]))
    pairs = evaluate().to_numpy().reshape(-1, 2, table.shape[1])
    expected = table.to_numpy().reshape(-1, 2, table.shape[1])
    assert (pairs == np.concatenate([expected[::-1], expected[:3]])).all()


def test_a_space_without_shared_prefixes_is_evaluated_one_by_one(evaluate: Evaluation) -> None:
    class Plain(ChainSupernet):
        """A super-network whose paths are judged one after the other."""

        judged_by = "one_by_one"

    table = evaluate()
    supernet, space, rows = evaluate.given
    plain = Plain.of(space, torch.Generator())
    plain.load_state_dict(supernet.state_dict())
    evaluate.given = (plain, space, rows)
    pd.testing.assert_frame_equal(evaluate(), table, rtol=1e-4, atol=1e-5)


def test_a_super_network_sees_images_of_the_size_that_it_was_trained_on(
    evaluate: Evaluation, supernet: ChainSupernet, images: ImageSplit
) -> None:
    whole = evaluate()
    supernet.image_size.fill_(4)
    shrunk = ImageSplit(shrink(images.images, 4), images.labels)
    small = evaluate(train=shrunk, validation=shrunk.subset(torch.arange(47)))
    pd.testing.assert_frame_equal(evaluate(), small)
    assert not small["log_loss"].equals(whole["log_loss"])


def test_bf16_is_near_float32(evaluate: Evaluation) -> None:
    table = evaluate()
    low = evaluate(parameters=SMALL.model_copy(update={"precision": "bf16"}))
    assert not low["log_loss"].equals(table["log_loss"])
    assert np.abs(low["log_loss"] - table["log_loss"]).max() < 0.1


def test_a_killed_evaluation_goes_on_where_it_stopped(
    evaluate: Evaluation, supernet: ChainSupernet, tmp_path: Path
) -> None:
    table = evaluate()
    calls = []

    def kill(*_: object) -> None:
        calls.append(0)
        if len(calls) == killed_at:
            raise KeyboardInterrupt

    hook = supernet.head.register_forward_hook(kill)
    # Five passes of the head per subnet: two calibration batches, three validation batches.
    killed_at = 5 * 10
    with pytest.raises(KeyboardInterrupt):
        evaluate(work=WorkStore(tmp_path))
    assert len(list(tmp_path.glob("*/part_*.parquet"))) == 1
    killed_at, calls[:] = -1, []
    pd.testing.assert_frame_equal(evaluate(work=WorkStore(tmp_path)), table)
    assert len(calls) == 5 * (20 - 7)
    calls.clear()
    pd.testing.assert_frame_equal(evaluate(work=WorkStore(tmp_path)), table)
    assert not calls
    hook.remove()


def test_a_damaged_part_is_made_anew(evaluate: Evaluation, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    table = evaluate(work=WorkStore(tmp_path))
    (part,) = tmp_path.glob("*/part_000001.parquet")
    part.write_bytes(part.read_bytes()[:200])
    with caplog.at_level(logging.WARNING):
        pd.testing.assert_frame_equal(evaluate(work=WorkStore(tmp_path)), table)
    assert "part_000001.parquet is damaged" in caplog.text


def test_parts_of_other_weights_are_not_taken(evaluate: Evaluation, supernet: ChainSupernet, tmp_path: Path) -> None:
    evaluate(work=WorkStore(tmp_path))
    with torch.no_grad():
        supernet.head.classifier.bias.add_(torch.tensor([5.0, 0.0, 0.0]))
    changed = evaluate(work=WorkStore(tmp_path))
    pd.testing.assert_frame_equal(changed, evaluate())
    assert len(list(tmp_path.iterdir())) == 2


def test_halves_are_even_within_each_class_and_follow_the_seed() -> None:
    labels = torch.tensor([0] * 11 + [1] * 6 + [2] * 2)
    halves = split_halves(labels, 0)
    for label, count in ((0, 11), (1, 6), (2, 2)):
        assert abs(int(halves[labels == label].sum()) - count / 2) <= 0.5
    assert torch.equal(halves, split_halves(labels, 0))
    assert not torch.equal(halves, split_halves(labels, 1))


def test_half_scores_by_hand() -> None:
    logits = torch.tensor([[0.0, 0.0], [2.0, 0.0], [0.0, 1.0]])
    scores = half_scores(logits, torch.tensor([0, 1, 1]), torch.tensor([0, 1, 1]))
    wrong, right = np.log1p(np.exp(2.0)), np.log1p(np.exp(-1.0))
    np.testing.assert_allclose(scores, [[1.0, np.log(2.0)], [0.5, (wrong + right) / 2]], rtol=1e-6)


def test_threads_are_as_before(evaluate: Evaluation) -> None:
    before = torch.get_num_threads()
    evaluate(device=DeviceParameters(accelerator="cpu", threads=before + 1))
    assert torch.get_num_threads() == before


def test_a_super_network_that_was_saved_is_judged_at_its_own_size(
    space: ChainSpace, images: ImageSplit, description: ImageDescription, rows: np.ndarray, tmp_path: Path
) -> None:
    trained, _ = train_supernets(
        space,
        images,
        description,
        parameters=SupernetParameters(seeds=1, image_sizes=(4,), training=TrainingParameters(epochs=1, batch_size=16)),
        device=CPU,
        seed=0,
        work=None,
        progress=False,
    )
    save_file(trained["seed_0"], tmp_path / "supernet.safetensors")
    supernet = load_supernet(space, load_file(tmp_path / "supernet.safetensors"))
    assert int(supernet.image_size) == 4
    small = ImageSplit(shrink(images.images, 4), images.labels)
    whole, shrunk = (
        Evaluation(supernet, space, rows, split, description.model_copy(update={"image_size": size}))()
        for split, size in ((images, 8), (small, 4))
    )
    pd.testing.assert_frame_equal(whole, shrunk)
