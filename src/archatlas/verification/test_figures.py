"""What exported files say of the test images: the figures of what the user takes away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from archatlas.images.dataset import ImageSplit
from archatlas.predictors.metrics import wilson_interval
from archatlas.verification.mistakes import mistakes_of, predictions_table
from archatlas.verification.onnx_run import INT8, ONNX, accuracy_of, onnx_logits, seen_size

Json = dict[str, Any]


def exported_figures(
    winners: Sequence[Json], folder: Path, test: ImageSplit, class_names: Sequence[str]
) -> tuple[list[Json], pd.DataFrame, dict[str, Tensor]]:
    """Read the test images through every exported file.

    Args:
        winners: a document per budget.
        folder: of the exported networks, one below for each budget.
        test: the images.
        class_names: in the order of labels.

    Returns:
        the documents with ``exported_accuracy``, its 95% Wilson interval ``exported_accuracy_ci``, ``int8_accuracy``,
        ``balanced_accuracy`` (mean recall of the classes that have test images) and ``per_class_accuracy`` (None
        without images of the class), all None where nothing was exported; the predictions of the float files
        (``mistakes.predictions_table``); and the images of the worst mistakes by budget.
    """
    documents, tables, mistakes = [], [], {}
    for winner in winners:
        budget = str(winner["budget"])
        file = folder / budget / ONNX
        if winner["status"] != "found" or not file.is_file():
            documents.append({**winner, **_NOTHING})
            continue
        seen = test.at(seen_size(file)).images
        table = predictions_table(budget, onnx_logits(file, seen), test.labels.numpy())
        small = folder / budget / INT8
        int8 = accuracy_of(onnx_logits(small, seen), test.labels) if small.is_file() else None
        documents.append({**winner, **float_figures(table, class_names), "int8_accuracy": int8})
        tables.append(table)
        worst = mistakes_of(table, budget)["position"].to_numpy(dtype=np.int64)
        mistakes[budget] = test.images[torch.tensor(worst)]
    empty = predictions_table("", np.zeros((0, len(class_names))), np.zeros(0, dtype=np.int64))
    return documents, pd.concat([empty, *tables], ignore_index=True), mistakes


_NOTHING: Json = {
    "exported_accuracy": None, "exported_accuracy_ci": None, "int8_accuracy": None, "balanced_accuracy": None,
    "per_class_accuracy": {},
}  # fmt: skip


def float_figures(table: pd.DataFrame, class_names: Sequence[str]) -> Json:
    """Accuracy with its interval, balanced accuracy and the accuracy of each class, from one file's predictions."""
    right = (table["label"] == table["predicted"]).to_numpy()
    share = float(right.mean())
    recall = pd.Series(right).groupby(table["label"].to_numpy()).mean()
    by_class: Mapping[str, float | None] = {
        name: float(recall[label]) if label in recall.index else None for label, name in enumerate(class_names)
    }
    return {
        "exported_accuracy": share,
        "exported_accuracy_ci": list(wilson_interval(share, len(right))),
        "balanced_accuracy": float(recall.mean()),
        "per_class_accuracy": dict(by_class),
    }
