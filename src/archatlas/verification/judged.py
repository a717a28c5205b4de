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
    known: dict[str, NDArray[np.bool_]] = {}
    rows_of: dict[str, pd.Series] = {}
    right: dict[tuple[str, int], NDArray[np.bool_]] = {}
    for document in chosen:
        if document["status"] != "found":
            continue
        won = table["network"] == document["architecture"]
        beside = table["role"].isin(["random", "mobilenet"]) & (table["budget"] == document["budget"])
        rows_of[document["budget"]] = beside | (won & table["role"].isin(["candidate", "random", "mobilenet"]))
        for index, training in table[rows_of[document["budget"]]].to_dict("index").items():
            job = job_of(space, training["network"], training["seed"])
            if job.key not in known:
                known[job.key] = trainings.test(job, test)
            right[training["network"], training["seed"]] = known[job.key]
            table.loc[index, "test_accuracy"] = float(known[job.key].mean())
    drawn = table[(table["role"] == "random") & table["test_accuracy"].notna()]
    documents = [
        with_test_figures(document, table[rows_of[document["budget"]]], right, drawn)
        if document["budget"] in rows_of
        else with_test_figures(document, table.iloc[:0])
        for document in chosen
    ]
    return documents, table


def with_test_figures(
    document: Json,
    trainings: pd.DataFrame,
    right: Mapping[tuple[str, int], NDArray[np.bool_]] | None = None,
    drawn: pd.DataFrame | None = None,
) -> Json:
    """A budget's document with what the test images say of its winner and of the networks beside it, trained alike.

    A winner that was drawn at random or is a MobileNet is not compared with itself: its own rows stand beside nothing.

    Args:
        document: from ``choose_winners``.
        trainings: the rows of the budget and of its winner: role, network, seed, validation_accuracy, test_accuracy.
        right: which test images each training names rightly, by network and seed; None where accuracies are looked up.
        drawn: trainings of random networks of all budgets; None: those among ``trainings``.

    The spread of the winner is over its seeds; that of random networks over networks, each the mean of its seeds. The
    ``..._paired_error`` are standard errors, by the choice of test images, of the winner's accuracy less theirs.
    ``training_noise`` is what is known of how far trainings differ (``_training_noise``).
    """
    won = trainings["network"] == document["architecture"]
    here = trainings["budget"] == document["budget"]
    own = trainings[won].drop_duplicates("seed")
    winner = own["test_accuracy"].to_numpy(dtype=np.float64)
    beside = trainings[here & ~won]
    rivals = beside[beside["role"] == "random"]
    random = rivals.groupby("network", sort=False)["test_accuracy"].mean()
    drawn = trainings[here & (trainings["role"] == "random")] if drawn is None else drawn
    scaled = _best_scaled(beside[beside["role"] == "mobilenet"])
    return {
        **document,
        "test_accuracy_mean": _mean(winner),
        "test_accuracy_std": _std(winner),
        "training_noise": _training_noise(trainings, drawn),
        "random_accuracy_mean": _mean(random.to_numpy()),
        "random_accuracy_std": _std(random.to_numpy()),
        "random_count": len(random),
        "mobilenet_architecture": None if scaled.empty else str(scaled["network"].iloc[0]),
        "mobilenet_accuracy_mean": _mean(scaled["test_accuracy"].to_numpy()),
        "mobilenet_macs": None if scaled.empty else int(scaled["macs"].iloc[0]),
        "mobilenet_params": None if scaled.empty else int(scaled["params"].iloc[0]),
        "random_paired_error": _paired_error(own, rivals, right),
        "mobilenet_paired_error": _paired_error(own, scaled, right),
    }


def _training_noise(trainings: pd.DataFrame, drawn: pd.DataFrame) -> Json | None:
    """How far the test accuracies of two trainings of a network differ: std, degrees (of freedom), of; None if unknown.

    Where networks were trained several times that is their spread within networks, all pooled (``of`` is trainings).
    With one training of each, the spread of the networks ``drawn`` at random about the mean of their budget has to
    stand for it, all budgets pooled (``of`` is random networks). It holds the differences between networks too, so that
    it is rather too much than too little. The winner is among them if it was drawn: without their best, they would lie
    too close together.
    """
    again = trainings.drop_duplicates(["network", "seed"]).groupby("network")["test_accuracy"]
    networks = drawn.groupby(["budget", "network"])["test_accuracy"].mean().groupby("budget")
    for groups, of in ((again, "trainings"), (networks, "random networks")):
        degrees = int((groups.count() - 1).clip(lower=0).sum())
        if degrees > 0:
            squares = float(((groups.count() - 1) * groups.var().fillna(0.0)).sum())
            return {"std": (squares / degrees) ** 0.5, "degrees": degrees, "of": of}
    return None


def _best_scaled(scaled: pd.DataFrame) -> pd.DataFrame:
    """The trainings of the MobileNet that is best on the validation images, of those of several sizes of images."""
    if scaled["network"].nunique() < 2:
        return scaled
    means = scaled.groupby("network", sort=False)["validation_accuracy"].mean()
    return scaled[scaled["network"] == means.idxmax()]


def _paired_error(
    own: pd.DataFrame, rivals: pd.DataFrame, right: Mapping[tuple[str, int], NDArray[np.bool_]] | None
) -> float | None:
    """Standard error of the mean of ``d = o - r`` over ``n`` images, of which few may differ; None if not known.

    Of own trainings a share ``o`` names an image rightly, of others ``r``. As if two more images had been seen, of
    which each was ahead on one (Agresti and Min 2005): ``sqrt(((sum d^2 + 1) / (n + 2) - (sum d / (n + 2))^2) / (n +
    2))``. The plain error is nil where all images agree.
    """
    if right is None or own.empty or rivals.empty:
        return None
    shares = [
        np.mean([right[row] for row in zip(rows["network"], rows["seed"], strict=True)], axis=0)
        for rows in (own, rivals)
    ]
    difference, images = shares[0] - shares[1], len(shares[0]) + 2
    variance = ((difference**2).sum() + 1) / images - (difference.sum() / images) ** 2
    return float((variance / images) ** 0.5)


def _mean(values: Any) -> float | None:
    return float(np.mean(values)) if len(values) else None


def _std(values: Any) -> float | None:
    return float(np.std(values, ddof=1)) if len(values) > 1 else None
