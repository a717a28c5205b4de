"""What winners answer for each test image, and which of their mistakes are worst. Torch-free: the report reads it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

PREDICTION_COLUMNS = (
    "budget",
    "position",
    "label",
    "predicted",
    "probability",
    "probability_of_label",
    "log_loss",
)


def predictions_table(budget: str, logits: Any, labels: Any) -> pd.DataFrame:
    """What a budget's winner answers, a row per image: the columns of `PREDICTION_COLUMNS`.

    Args:
        budget: the budget's name.
        logits: [n, classes], a tensor on the CPU or an array.
        labels: int [n], likewise.

    Returns:
        budget; position (int64, 0..n-1: the index in the split); label and predicted (int64, indices of class names;
        the first of equal logits); probability (float64, by softmax, of what is predicted); probability_of_label;
        log_loss (float64, nats, of the label; large but finite where the probability is rounded to 0).
    """
    scores = np.asarray(logits, dtype=np.float64)
    wanted = np.asarray(labels, dtype=np.int64)
    shifted = scores - scores.max(axis=1, keepdims=True, initial=-np.inf)
    log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    predicted = scores.argmax(axis=1).astype(np.int64)
    rows = np.arange(len(wanted))
    of_label = log_probabilities[rows, wanted]
    return pd.DataFrame(
        {
            "budget": pd.Series([budget] * len(rows), dtype=object),
            "position": rows.astype(np.int64),
            "label": wanted,
            "predicted": predicted,
            "probability": np.exp(log_probabilities[rows, predicted]),
            "probability_of_label": np.exp(of_label),
            "log_loss": -of_label,
        }
    )


def mistakes_of(test_predictions: pd.DataFrame, budget: str, count: int = 12) -> pd.DataFrame:
    """The ``count`` most confident wrong answers of a budget's winner, the most confident first, ties by position.

    Rows of ``test_predictions`` (`predictions_table`, of several budgets), numbered from 0; fewer if it is less often
    wrong.
    """
    wrong = test_predictions[
        (test_predictions["budget"] == budget) & (test_predictions["label"] != test_predictions["predicted"])
    ]
    ordered = wrong.sort_values(["probability", "position"], ascending=[False, True])
    return ordered.head(count).reset_index(drop=True)


def confusion_counts(test_predictions: pd.DataFrame, budget: str, classes: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """How many test images of each class (rows) a budget's winner takes for each class (columns), int64 [c, c]."""
    own = test_predictions[test_predictions["budget"] == budget]
    counts = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(counts, (own["label"].to_numpy(np.int64), own["predicted"].to_numpy(np.int64)), 1)
    return counts
