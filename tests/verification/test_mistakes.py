from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn import functional

from archatlas.verification.mistakes import PREDICTION_COLUMNS, confusion_counts, mistakes_of, predictions_table


def test_predictions_by_hand() -> None:
    logits = torch.tensor([[0.0, math.log(3)], [math.log(4), 0.0], [0.0, 0.0]])
    table = predictions_table("small", logits, torch.tensor([1, 1, 0]))
    assert tuple(table.columns) == PREDICTION_COLUMNS
    assert table["budget"].tolist() == ["small"] * 3
    assert table["position"].tolist() == [0, 1, 2]
    assert table["label"].tolist() == [1, 1, 0]
    assert table["predicted"].tolist() == [1, 0, 0]
    assert table["probability"].tolist() == pytest.approx([0.75, 0.8, 0.5])
    assert table["probability_of_label"].tolist() == pytest.approx([0.75, 0.2, 0.5])
    assert table["log_loss"].tolist() == pytest.approx([math.log(4 / 3), math.log(5), math.log(2)])
    kinds = {name: str(dtype) for name, dtype in table.dtypes.items() if name != "budget"}
    assert kinds == {
        **dict.fromkeys(("position", "label", "predicted"), "int64"),
        **dict.fromkeys(("probability", "probability_of_label", "log_loss"), "float64"),
    }


def test_log_loss_is_that_of_torch_and_stays_finite() -> None:
    logits = torch.randn(50, 7, generator=torch.Generator().manual_seed(0)) * 30
    logits[0] = torch.tensor([1e4, -1e4, 0, 0, 0, 0, 0])
    labels = torch.arange(50) % 7
    labels[0] = 1
    table = predictions_table("small", logits, labels)
    expected = functional.cross_entropy(logits.double(), labels, reduction="none")
    np.testing.assert_allclose(table["log_loss"], expected.numpy(), rtol=1e-12)
    assert table["log_loss"].iloc[0] == 2e4
    assert table["predicted"].tolist() == logits.argmax(dim=1).tolist()


def test_no_images_give_no_rows() -> None:
    table = predictions_table("small", torch.empty(0, 4), torch.empty(0, dtype=torch.int64))
    assert tuple(table.columns) == PREDICTION_COLUMNS
    assert table.empty
    assert mistakes_of(table, "small").empty


def test_the_most_confident_mistakes_come_first_and_ties_by_position() -> None:
    table = pd.DataFrame(
        {
            "budget": ["a"] * 5 + ["b"],
            "position": [4, 0, 1, 2, 3, 0],
            "label": [0, 0, 0, 0, 1, 0],
            "predicted": [1, 1, 0, 1, 0, 1],
            "probability": [0.9, 0.9, 0.99, 0.6, 0.7, 1.0],
        }
    )
    worst = mistakes_of(table, "a", count=3)
    assert worst["position"].tolist() == [0, 4, 3]
    assert worst.index.tolist() == [0, 1, 2]
    assert mistakes_of(table, "a")["position"].tolist() == [0, 4, 3, 2]
    assert mistakes_of(table, "c").empty


def test_confusion_by_hand() -> None:
    table = pd.DataFrame({"budget": ["a", "a", "a", "b"], "label": [0, 0, 2, 1], "predicted": [1, 1, 2, 1]})
    assert confusion_counts(table, "a", 3).tolist() == [[0, 2, 0], [0, 0, 0], [0, 0, 1]]
