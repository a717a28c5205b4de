"""Winners and what stands beside them, all trained alike, judged on the test images. Nothing is chosen by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from archatlas.images.dataset import ImageSplit
from archatlas.spaces.protocol import SearchSpace
from archatlas.verification.alone import job_of
from archatlas.verification.trainings import Trainings

Json = dict[str, Any]


def judge_on_test_images(
    trainings: Trainings,
    chosen: Sequence[dict[str, Any]],
    done: pd.DataFrame,
    test: ImageSplit,
    space: SearchSpace,
) -> tuple[list[dict[str, Any]], pd.DataFrame]:
    """Judge the winners, as they were trained alike, and what stands beside them on the test images.

    Returns:
        the documents of the budgets, and all trainings with test accuracies where they were taken.
    """
    table = done.copy()
    documents: list[dict[str, Any]] = []
    known: dict[str, NDArray[np.bool_]] = {}
    for document in chosen:
        if document["status"] != "found":
            documents.append(with_test_figures(document, table.iloc[:0]))
            continue
        won = table["network"] == document["architecture"]
        beside = table["role"].isin(["random", "mobilenet"]) & (table["budget"] == document["budget"])
        rows = beside | (won & table["role"].isin(["candidate", "random", "mobilenet"]))
        right: dict[tuple[str, int], NDArray[np.bool_]] = {}
        for index, training in table[rows].to_dict("index").items():
            job = job_of(space, training["network"], training["seed"])
            if job.key not in known:
                known[job.key] = trainings.test(job, test)
            right[training["network"], training["seed"]] = known[job.key]
            table.loc[index, "test_accuracy"] = float(known[job.key].mean())
        documents.append(with_test_figures(document, table[rows], right))
    return documents, table


def with_test_figures(
    document: Json, trainings: pd.DataFrame, right: Mapping[tuple[str, int], NDArray[np.bool_]] | None = None
) -> Json:
    """A budget's document with what the test images say of its winner and of the networks beside it, trained alike.

    Args:
        document: from ``choose_winners``.
        trainings: the rows of the budget and of its winner: role, network, seed, validation_accuracy, test_accuracy.
        right: which test images each training names rightly, by network and seed; None where accuracies are looked up.

    The spread of the winner is over its seeds; that of random networks over networks, each the mean of its seeds. The
    ``..._paired_error`` are standard errors, by the choice of test images, of the winner's accuracy less theirs.
    """
    own = trainings[trainings["network"] == document["architecture"]].drop_duplicates("seed")
    winner = own["test_accuracy"].to_numpy(dtype=np.float64)
    beside = trainings[trainings["budget"] == document["budget"]]
    random = beside[beside["role"] == "random"].groupby("network", sort=False)["test_accuracy"].mean()
    scaled = _best_scaled(beside[beside["role"] == "mobilenet"])
    return {
        **document,
        "test_accuracy_mean": _mean(winner),
        "test_accuracy_std": _std(winner),
        "random_accuracy_mean": _mean(random.to_numpy()),
        "random_accuracy_std": _std(random.to_numpy()),
        "random_count": len(random),
        "mobilenet_architecture": None if scaled.empty else str(scaled["network"].iloc[0]),
        "mobilenet_accuracy_mean": _mean(scaled["test_accuracy"].to_numpy()),
        "mobilenet_macs": None if scaled.empty else int(scaled["macs"].iloc[0]),
        "mobilenet_params": None if scaled.empty else int(scaled["params"].iloc[0]),
        "random_paired_error": _paired_error(own, beside[beside["role"] == "random"], right),
        "mobilenet_paired_error": _paired_error(own, scaled, right),
    }


def _best_scaled(scaled: pd.DataFrame) -> pd.DataFrame:
    """The trainings of the MobileNet that is best on the validation images, of those of several sizes of images."""
    if scaled["network"].nunique() < 2:
        return scaled
    means = scaled.groupby("network", sort=False)["validation_accuracy"].mean()
    return scaled[scaled["network"] == means.idxmax()]


def _paired_error(
    own: pd.DataFrame, rivals: pd.DataFrame, right: Mapping[tuple[str, int], NDArray[np.bool_]] | None
) -> float | None:
    """``std(o - r) / sqrt(n)`` over ``n`` images; of own trainings a share ``o`` names one rightly, of others ``r``."""
    if right is None or own.empty or rivals.empty:
        return None
    shares = [
        np.mean([right[row] for row in zip(rows["network"], rows["seed"], strict=True)], axis=0)
        for rows in (own, rivals)
    ]
    difference = shares[0] - shares[1]
    return float(difference.std(ddof=1) / len(difference) ** 0.5) if len(difference) > 1 else None


def _mean(values: Any) -> float | None:
    return float(np.mean(values)) if len(values) else None


def _std(values: Any) -> float | None:
    return float(np.std(values, ddof=1)) if len(values) > 1 else None
