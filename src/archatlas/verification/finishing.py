"""Winners are trained on: what serves the user, after what serves the comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from archatlas.images.dataset import ImageSplit
from archatlas.spaces.protocol import SearchSpace
from archatlas.training.seeds import mixed_seed
from archatlas.verification.members import member_of
from archatlas.verification.parameters import FinishingParameters
from archatlas.verification.roles import FINISH
from archatlas.verification.trainings import TRAINING_COLUMNS, FurtherTraining, TrainingJob, Trainings
from archatlas.verification.winners import best_first

Json = dict[str, Any]


def finish(
    chosen: Sequence[Json],
    trained: Mapping[tuple[str, int], Mapping[str, Tensor]],
    figures: pd.DataFrame,
    trainings: Trainings,
    space: SearchSpace,
    parameters: FinishingParameters,
    seed: int,
) -> tuple[list[Json], dict[str, dict[str, Tensor]], pd.DataFrame]:
    """Train every winner on, and keep what is best on the validation images: the old weights, where none is better.

    A network that won several budgets is trained once.

    Args:
        chosen: a document per budget, from ``winners.choose_winners``.
        trained: weights of the winners' trainings by network and seed.
        figures: network, seed, validation_accuracy, validation_log_loss of these.
        trainings: the schedule and the images of what is trained here.
        space: of the search.
        parameters: where trainings begin, and how many there are.
        seed: of the project.

    Returns:
        the documents with ``finished`` (start, epochs, validation_accuracy and validation_log_loss of what is
        exported, and ``better``: whether that was trained here); the weights to export by budget; and all trainings
        made here (network, seed, validation_accuracy, validation_log_loss).
    """
    found = [document for document in chosen if document["status"] == "found"]
    jobs = {
        (document["architecture"], number): _job(document, number, trained, figures, space, parameters, seed)
        for document in found
        for number in range(parameters.seeds)
    }
    done = trainings.run(list(jobs.values()), "winners, trained on")
    done.index = pd.MultiIndex.from_tuples(list(jobs))
    documents, weights = [], {}
    for document in chosen:
        if document["status"] != "found":
            documents.append({**document, "finished": None})
            continue
        network, best_seed = document["architecture"], document["best_seed"]
        before = _figures_of(figures, network, best_seed)
        ordered = done.loc[network].sort_values(["validation_accuracy", "validation_log_loss"], ascending=[False, True])
        after = ordered.iloc[0]
        better = parameters.with_validation or _order(after) > _order(before)
        kept = after if better else before
        weights[document["budget"]] = (
            trainings.weights(jobs[network, int(ordered.index[0])]) if better else dict(trained[network, best_seed])
        )
        finished = {
            "start": parameters.start,
            "epochs": trainings.training.epochs,
            "with_validation": parameters.with_validation,
            "better": bool(better),
            **{name: float(kept[name]) for name in ("validation_accuracy", "validation_log_loss")},
        }
        documents.append({**document, "finished": finished})
    return documents, weights, done.reset_index(drop=True)


def no_finishing() -> pd.DataFrame:
    """The table of trainings where no winner is trained on."""
    return pd.DataFrame({name: pd.Series(dtype="str" if name == "network" else "float64") for name in TRAINING_COLUMNS})


def joined(train: ImageSplit, validation: ImageSplit) -> ImageSplit:
    """Both splits as one."""
    return ImageSplit(torch.cat([train.images, validation.images]), torch.cat([train.labels, validation.labels]))


def _job(
    document: Json,
    number: int,
    trained: Mapping[tuple[str, int], Mapping[str, Tensor]],
    figures: pd.DataFrame,
    space: SearchSpace,
    parameters: FinishingParameters,
    seed: int,
) -> TrainingJob:
    name = document["architecture"]
    member, own_seed = member_of(space, name), mixed_seed(seed, FINISH, number) >> 32
    if parameters.start == "scratch":
        return TrainingJob(member.space, member.network, own_seed, name)
    ranked = best_first(figures, name)["seed"].tolist()
    weights = trained[name, int(ranked[number % len(ranked)])]
    arrays = {key: tensor.numpy() for key, tensor in weights.items()}
    return FurtherTraining(member.space, member.network, own_seed, name, arrays)


def _figures_of(figures: pd.DataFrame, network: str, seed: int) -> pd.Series:
    return figures[(figures["network"] == network) & (figures["seed"] == seed)].iloc[0]


def _order(figures: pd.Series) -> tuple[float, float]:
    return float(figures["validation_accuracy"]), -float(figures["validation_log_loss"])
